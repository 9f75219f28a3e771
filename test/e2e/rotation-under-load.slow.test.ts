/**
 * Promise: with certificates of 10 s, 60 s of load at 200 requests per second see every rotation pass without
 * one failed request and without one lost connection.
 * Real parts: dev issuer, citadel, two sidecars and an app as processes; an app's keep-alive client.
 */
import { expect } from 'chai';
import { startMesh } from '../support/mesh.ts';
import { SteadyLoad } from '../support/steady-load.ts';

const SECONDS = 60;
const PER_SECOND = 220;
const CONNECTIONS = 16;

describe('rotation under load', () => {
  it('fails no request and resets no connection in 60 s of certificates that live 10 s', async () => {
    await using mesh = await startMesh({
      certificateSeconds: 10,
      services: [{ name: 'orders' }, { name: 'web', next: 'orders' }],
    });
    const { sidecar: web, plan } = mesh.service('web');
    const { sidecar: orders } = mesh.service('orders');
    const load = new SteadyLoad({ port: plan.outbound['orders']!, connections: CONNECTIONS, perSecond: PER_SECOND });
    const rotated = ({ event }: { event: string }): boolean => event === 'identity_published';
    const ends = performance.now() + SECONDS * 1000;
    // Time passes by rotations, the thing under test: each is an event of the sidecar that rotated.
    while (performance.now() < ends) await web.next('web rotates', rotated, 15_000);
    const report = await load.stop();

    expect(report.failures).to.deep.equal([]);
    expect(report.answered)
      .to.equal(report.sent)
      .and.to.be.at.least(SECONDS * 200);
    expect(report.lost).to.equal(0);
    for (const sidecar of [web, orders]) expect(sidecar.events(rotated).length).to.be.at.least(8);
  });
});
