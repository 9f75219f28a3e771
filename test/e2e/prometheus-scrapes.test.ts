/**
 * Promise: a real Prometheus scrapes citadel and sidecars without help; the pages pass promtool; the series that
 * dashboards rely on are there, under Istio's names where Istio has one, and they move.
 * Real parts: Debian's prometheus and promtool; dev issuer, citadel, two sidecars and an app as processes.
 */
import { expect } from 'chai';
import { startMesh, type TestMesh } from '../support/mesh.ts';
import { Prometheus } from '../support/prometheus.ts';
import { SteadyLoad } from '../support/steady-load.ts';
import { tool } from '../support/tool.ts';
import { until } from '../support/until.ts';

const SERIES = [
  'citadel_certificates_issued_total',
  'citadel_issuance_duration_seconds_count',
  'sidecar_renewals_total',
  'sidecar_certificate_expiry_timestamp_seconds',
  'sidecar_token_expiry_timestamp_seconds',
  'sidecar_clock_skew_seconds',
  'sidecar_handshakes_total',
  'istio_requests_total',
  'istio_request_duration_milliseconds_bucket',
  'istio_request_duration_milliseconds_count',
];

/** promtool wants seconds; Istio's dashboards want this name. It is the one complaint that is accepted. */
const ISTIO_UNIT = 'istio_request_duration_milliseconds use base unit "seconds"';

describe('Prometheus', () => {
  let mesh: TestMesh;
  let prometheus: Prometheus;
  let load: SteadyLoad;

  before(async function () {
    this.timeout(60_000);
    mesh = await startMesh({ certificateSeconds: 10, services: [{ name: 'orders' }, { name: 'web', next: 'orders' }] });
    const [orders, web] = mesh.plan.services;
    prometheus = await Prometheus.start({
      citadel: [mesh.plan.citadel.healthPort],
      sidecars: [orders!.ports.metrics, web!.ports.metrics],
    });
    load = new SteadyLoad({ port: web!.outbound['orders']!, connections: 2, perSecond: 20 });
  });

  after(async () => {
    await load.stop();
    await prometheus[Symbol.asyncDispose]();
    await mesh[Symbol.asyncDispose]();
  });

  it('finds all three targets up', async () => {
    await until(
      'three targets are up',
      async () => (await prometheus.query('up == 1')).length === 3 || undefined,
      15_000,
    );
  });

  for (const name of SERIES) {
    it(`stores ${name}`, async () => {
      await until(name, async () => (await prometheus.query(name)).length > 0 || undefined, 15_000);
    });
  }

  it('sees requests, certificates and renewals move', async function () {
    this.timeout(40_000);
    for (const name of ['istio_requests_total', 'citadel_certificates_issued_total', 'sidecar_renewals_total']) {
      const moved = async () => (await prometheus.query(`sum(increase(${name}[10s])) > 0`)).length > 0 || undefined;
      await until(`${name} moves`, moved, 20_000);
    }
  });

  it('labels a request on both sides with both principals', async () => {
    const [orders, web] = mesh.plan.services;
    const selector = `source_principal="${web!.spiffeId}",destination_principal="${orders!.spiffeId}",response_code="200"`;
    for (const reporter of ['source', 'destination']) {
      const query = `istio_requests_total{reporter="${reporter}",${selector}}`;
      await until(query, async () => (await prometheus.query(query)).length > 0 || undefined, 15_000);
    }
    const policy = await prometheus.query('istio_requests_total{reporter="destination"}');
    expect(policy.map(({ labels }) => labels['connection_security_policy'])).to.include('mutual_tls');
  });

  it('passes promtool check metrics on every page', async () => {
    const [orders, web] = mesh.plan.services;
    for (const port of [mesh.plan.citadel.healthPort, orders!.ports.metrics, web!.ports.metrics]) {
      const page = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      const { stdout, stderr } = await tool('promtool', ['check', 'metrics'], { input: page });
      const complaints = `${stdout}${stderr}`.split('\n').filter((line) => line !== '' && !line.startsWith(ISTIO_UNIT));
      expect(complaints).to.deep.equal([]);
    }
  });
});
