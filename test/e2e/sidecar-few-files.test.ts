/**
 * Promise: a sidecar that may open few files neither dies nor turns in circles under more connections than it can
 * hold: it turns newcomers away and tells so, serves whom it has, renews, and takes new ones when others have gone.
 * Real parts: dev issuer, citadel and a sidecar as processes, under `ulimit -n`; the test is the app and the peers.
 */
import { once } from 'node:events';
import net, { type Socket } from 'node:net';
import { expect } from 'chai';
import type { ServicePlan } from '../../scripts/local-mesh/mesh-plan.ts';
import type { Running } from '../../scripts/local-mesh/running.ts';
import { type App, httpApp } from '../support/app-server.ts';
import { FewFilesSidecar } from '../support/few-files.ts';
import type { TestMesh } from '../support/mesh.ts';
import { metricAt, obtainSvid, peerOf } from '../support/one-sidecar.ts';
import { until } from '../support/until.ts';

const FILES = 64;
const NEWCOMERS = 200;
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

describe('a sidecar with few files', () => {
  let app: App<unknown>;
  let few: FewFilesSidecar;
  let mesh: TestMesh;
  let plan: ServicePlan;
  let sidecar: Running;

  before(async function () {
    this.timeout(60_000);
    app = await httpApp((_request, response) => response.end('served'));
    const settings = { log: { format: 'json' }, limits: { handshakeSeconds: 120 } };
    few = await FewFilesSidecar.start(FILES, [{ name: 'orders', appPort: app.port, settings }, { name: 'web' }]);
    ({ mesh, plan, process: sidecar } = few);
  });
  after(async () => {
    await few?.[Symbol.asyncDispose]();
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
    await few.renew();
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
