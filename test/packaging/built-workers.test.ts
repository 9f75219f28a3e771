/** Built JavaScript finds its workers too, where there are no sources beside it, as in the image. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { asYaml } from '../../scripts/local-mesh/mesh-plan.ts';
import { Running } from '../../scripts/local-mesh/running.ts';
import { AS_IN_THE_IMAGE, buildSidecar } from '../bench/built-sidecar.ts';
import { httpApp } from '../support/app-server.ts';
import { plannedMesh } from '../support/mesh.ts';
import { obtainSvid, peerOf } from '../support/one-sidecar.ts';
import type { RawClient } from '../support/raw-client.ts';
import { until } from '../support/until.ts';

describe('the built sidecar', () => {
  let home: string;
  before(async function () {
    this.timeout(120_000);
    home = await mkdtemp(join(tmpdir(), 'sallyport-built-'));
  });
  after(() => rm(home, { recursive: true, force: true }));

  it('serves with two workers, and ends in order', async function () {
    this.timeout(120_000);
    const script = buildSidecar(home);
    await using app = await httpApp((_request, response) => response.end('ok'));
    await using mesh = await plannedMesh({ services: [{ name: 'orders', appPort: app.port }, { name: 'web' }] });
    const { ports, settings } = mesh.plan.services[0]!;
    await mesh.startIssuer();
    await mesh.startCitadel();
    const config = join(home, 'orders.yaml');
    await writeFile(config, asYaml(settings), { mode: 0o600 });
    const command = [process.execPath, script, 'run', '--config', config, '--workers', '2'];
    const sidecar = new Running({ name: 'built sidecar', command, environment: AS_IN_THE_IMAGE });
    try {
      await sidecar.event('ready', ({ event }) => event === 'ready');
      const svid = await obtainSvid(mesh, 'web');
      const peers: RawClient[] = [];
      await until('both have served', async () => {
        const peer = await peerOf(ports.inbound, svid);
        peers.push(peer);
        await peer.send('GET / HTTP/1.1\r\nHost: orders\r\n\r\n').until('ok');
        const answer = await fetch(`http://127.0.0.1:${ports.admin}/connections`);
        const { connections } = (await answer.json()) as { connections: { worker: number; requests: number }[] };
        return new Set(connections.filter(({ requests }) => requests > 0).map(({ worker }) => worker)).size === 2;
      });
      for (const peer of peers) await peer[Symbol.asyncDispose]();
    } finally {
      expect(await sidecar.stop(), sidecar.lines.join('\n')).to.deep.equal({ code: 0, signal: null });
    }
  });
});
