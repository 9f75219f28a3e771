/**
 * Promise: every tunnel costs a connection to the app, and one peer alone cannot use up what the process may open: it is
 * refused by name at its share, while others come, are served, and the sidecar renews.
 * Real parts: dev issuer, citadel and a sidecar as processes, under `ulimit -n`; the test is the app and the peers.
 */
import { expect } from 'chai';
import type { ServicePlan } from '../../scripts/local-mesh/mesh-plan.ts';
import type { Running } from '../../scripts/local-mesh/running.ts';
import { FRAME } from '../../sidecar/tunnel/frame-format.ts';
import type { Field } from '../../sidecar/tunnel/hpack-tables.ts';
import { headers } from '../sidecar/tunnel/tunnel-rig.ts';
import { type App, httpApp } from '../support/app-server.ts';
import { FewFilesSidecar } from '../support/few-files.ts';
import type { TestMesh } from '../support/mesh.ts';
import { metricAt, obtainSvid } from '../support/one-sidecar.ts';
import { framePeer, HonestPeer } from '../support/tunnel-peers.ts';
import { until } from '../support/until.ts';

const FILES = 160;
const SESSIONS = 4;
const STREAMS = 100;

describe('a sidecar with few files, and a peer with many tunnels', () => {
  let app: App<unknown>;
  let few: FewFilesSidecar;
  let mesh: TestMesh;
  let plan: ServicePlan;
  let sidecar: Running;

  before(async function () {
    this.timeout(60_000);
    app = await httpApp((_request, response) => response.end('served'));
    few = await FewFilesSidecar.start(FILES, [
      { name: 'orders', appPort: app.port },
      { name: 'web' },
      { name: 'other' },
    ]);
    ({ mesh, plan, process: sidecar } = few);
  });
  after(async () => {
    await few?.[Symbol.asyncDispose]();
    await app?.[Symbol.asyncDispose]();
  });

  it('refuses what is beyond its share by name, serves others meanwhile, and recovers', async () => {
    const { tunnel, metrics } = plan.ports;
    const web = await obtainSvid(mesh, 'web');
    const fields: readonly Field[] = [
      [':method', 'CONNECT'],
      [':authority', `127.0.0.1:${app.port}`],
    ];
    const peers = await Promise.all(Array.from({ length: SESSIONS }, () => framePeer(tunnel, web)));
    for (const peer of peers) {
      peer.greet();
      for (let at = 0; at < STREAMS; at++) peer.send(headers(2 * at + 1, fields));
    }
    for (const peer of peers) await until('all are answered', () => peer.of(FRAME.HEADERS).length === STREAMS);
    const refused = await metricAt(metrics, 'sidecar_refusals_total{code="connection_limit"}');
    expect(refused).to.be.within(SESSIONS * STREAMS - FILES / 2, SESSIONS * STREAMS - 10);
    expect(await metricAt(metrics, 'sidecar_refusals_total{code="app_unreachable"}')).to.equal(0);

    await using other = await HonestPeer.connect(tunnel, await obtainSvid(mesh, 'other'), app.port);
    expect(await other.ask()).to.include('served');
    await few.renew();

    for (const peer of peers) await peer[Symbol.asyncDispose]();
    await using again = await HonestPeer.connect(tunnel, web, app.port);
    await until('there is room again', async () => (await again.ask().catch(() => '')).includes('served'));
    expect(await sidecar.stop()).to.deep.equal({ code: 0, signal: null });
  });
});
