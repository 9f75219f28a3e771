/**
 * Promise: an absent citadel does not disturb traffic while certificates live; after their end callers get a
 * clear code; when citadel is back, everything recovers by itself within 5 s and nothing was restarted.
 * Real parts: dev issuer, citadel, two sidecars and an app as processes.
 */
import { expect } from 'chai';
import { startMesh } from '../support/mesh.ts';
import { until } from '../support/until.ts';

const CERTIFICATE_SECONDS = 12;

describe('an outage of citadel', () => {
  it('is bridged until expiry, refused clearly after it, and over within 5 s of the return', async () => {
    await using mesh = await startMesh({
      certificateSeconds: CERTIFICATE_SECONDS,
      services: [{ name: 'orders' }, { name: 'web', next: 'orders' }],
    });
    const { sidecar: web, plan } = mesh.service('web');
    const { sidecar: orders } = mesh.service('orders');
    const url = `http://127.0.0.1:${plan.outbound['orders']}/`;
    const call = async (): Promise<{ status: number; code: unknown }> => {
      const answer = await fetch(url, { signal: AbortSignal.timeout(5_000) });
      const body = (await answer.json()) as { code?: unknown };
      return { status: answer.status, code: body.code };
    };
    const pids = [web.pid, orders.pid];
    expect(await call()).to.include({ status: 200 });

    await mesh.citadel.stop();
    await web.next('a renewal fails', ({ event }) => event === 'renewal_failed', CERTIFICATE_SECONDS * 1000);
    expect(await call(), 'past the renewal').to.include({ status: 200 });

    await web.next('the certificate expires', ({ event }) => event === 'identity_expired', CERTIFICATE_SECONDS * 1000);
    expect(await call(), 'past the end').to.deep.equal({ status: 503, code: 'identity_expired' });
    const readiness = await fetch(`http://127.0.0.1:${plan.ports.health}/readyz`);
    expect(readiness.status).to.equal(503);
    expect(await readiness.text()).to.include('identity');

    await mesh.startCitadel();
    const back = performance.now();
    await until('traffic flows again', async () => (await call()).status === 200 || undefined, 15_000);
    expect(performance.now() - back).to.be.below(5_000);
    expect([web.running, orders.running]).to.deep.equal([true, true]);
    expect([mesh.service('web').sidecar.pid, mesh.service('orders').sidecar.pid]).to.deep.equal(pids);
  });
});
