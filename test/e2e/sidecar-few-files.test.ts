/**
 * Promise: a sidecar that may open few files neither dies nor turns in circles under more connections than it can
 * hold: it turns newcomers away and tells so, serves whom it has, renews, and takes new ones when others have gone.
 * Real parts: dev issuer, citadel and a sidecar as processes, under `ulimit -n`; the test is the app and the peers.
 */
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import net, { type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { asYaml, type ServicePlan } from '../../scripts/local-mesh/mesh-plan.ts';
import { Running } from '../../scripts/local-mesh/running.ts';
import { type App, httpApp } from '../support/app-server.ts';
import { plannedMesh, type TestMesh } from '../support/mesh.ts';
import { metricAt, obtainSvid, peerOf } from '../support/one-sidecar.ts';
import { until } from '../support/until.ts';

const SIDECAR = fileURLToPath(new URL('../../bin/sidecar.js', import.meta.url));
const FILES = 64;
const NEWCOMERS = 200;
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

describe('a sidecar with few files', () => {
  let app: App<unknown>;
  let mesh: TestMesh;
  let plan: ServicePlan;
  let sidecar: Running;

  before(async function () {
    this.timeout(60_000);
    app = await httpApp((_request, response) => response.end('served'));
    const settings = { log: { format: 'json' }, limits: { handshakeSeconds: 120 } };
    mesh = await plannedMesh({ services: [{ name: 'orders', appPort: app.port, settings }, { name: 'web' }] });
    plan = mesh.plan.services[0]!;
    await mesh.startIssuer();
    await mesh.startCitadel();
    const file = join(mesh.plan.directory, 'few-files.yaml');
    await writeFile(file, asYaml(plan.settings), { mode: 0o600 });
    const program = [process.execPath, SIDECAR, 'run', '--config', file];
    sidecar = new Running({ name: 'orders', command: ['sh', '-c', `ulimit -n ${FILES}; exec "$@"`, 'sh', ...program] });
    await sidecar.event('ready', ({ event }) => event === 'ready');
  });
  after(async () => {
    await sidecar?.stop();
    await mesh?.[Symbol.asyncDispose]();
    await app?.[Symbol.asyncDispose]();
  });

  it('turns newcomers away when it is full, keeps its promises to the others, and recovers', async () => {
    const svid = await obtainSvid(mesh, 'web');
    await using kept = await peerOf(plan.ports.inbound, svid);
    await kept.send(GET).until('served');
    const newcomers = await Promise.all(Array.from({ length: NEWCOMERS }, () => silent(plan.ports.inbound)));
    const refused = (): Promise<number> =>
      metricAt(plan.ports.metrics, 'sidecar_refusals_total{code="connection_limit"}');
    await until('most are turned away', async () => (await refused()) > NEWCOMERS - FILES);
    const [line] = sidecar.events(({ event }) => event === 'connection_refused');
    expect(line!.fields).to.include({ code: 'connection_limit', remoteAddress: '127.0.0.1' });
    await kept.send(GET).until(/served[\s\S]*served/);
    const renewed = sidecar.next('a new certificate', ({ event }) => event === 'identity_published');
    sidecar.child.kill('SIGHUP');
    await renewed;
    for (const socket of newcomers) socket.destroy();
    await until('there is room again', async () => {
      await using next = await peerOf(plan.ports.inbound, svid);
      return (await next.send(GET).until('served')).includes('200 OK');
    });
    expect(await sidecar.stop()).to.deep.equal({ code: 0, signal: null });
  });
});

/** Connected as TCP, and silent from then on. */
async function silent(port: number): Promise<Socket> {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => socket.destroy());
  await once(socket, 'connect');
  return socket;
}
