import { expect } from 'chai';
import { Exposition } from '../../../shared/metrics/exposition.ts';
import { ownService, serviceOf } from '../../../sidecar/telemetry/istio-labels.ts';
import { responseFlags } from '../../../sidecar/telemetry/response-flags.ts';
import type { ServedRequest } from '../../../sidecar/telemetry/served-request.ts';
import { TrafficMetrics } from '../../../sidecar/telemetry/traffic-metrics.ts';

const WEB = 'spiffe://cluster.local/ns/shop/sa/web';
const ORDERS = 'spiffe://cluster.local/ns/shop/sa/orders';
const WORKLOAD = { name: 'orders-v1', namespace: 'shop', app: 'orders', version: 'v1' };
const PLACE = { reporter: 'destination', workload: WORKLOAD, service: ownService(WORKLOAD) } as const;

const SERVED: ServedRequest = {
  requestId: 'id',
  method: 'GET',
  path: '/',
  protocol: 'http',
  status: 200,
  grpcStatus: '',
  refusal: '',
  callerLeft: false,
  durationMs: 12,
  requestBytes: 100,
  answerBytes: 2000,
  peer: WEB,
  own: ORDERS,
};

describe('traffic metrics', () => {
  it('carry the names and labels that dashboards for Istio ask for', async () => {
    const metrics = new TrafficMetrics();
    metrics.at(PLACE).requestServed(SERVED);
    const { body } = await new Exposition(metrics.all()).page();
    const line = body.split('\n').find((one) => one.startsWith('istio_requests_total{'));
    for (const label of [
      'reporter="destination"',
      'source_workload="unknown"',
      'source_workload_namespace="shop"',
      `source_principal="${WEB}"`,
      'destination_workload="orders-v1"',
      'destination_workload_namespace="shop"',
      `destination_principal="${ORDERS}"`,
      'destination_app="orders"',
      'destination_version="v1"',
      'destination_canonical_service="orders"',
      'destination_canonical_revision="v1"',
      'destination_service="orders.shop.svc.cluster.local"',
      'destination_service_name="orders"',
      'destination_service_namespace="shop"',
      'request_protocol="http"',
      'response_code="200"',
      'grpc_response_status=""',
      'response_flags="-"',
      'connection_security_policy="mutual_tls"',
    ]) {
      expect(line).to.contain(label);
    }
    for (const name of ['istio_request_duration_milliseconds', 'istio_request_bytes', 'istio_response_bytes']) {
      expect(body)
        .to.match(new RegExp(`^${name}_bucket\\{`, 'm'))
        .and.match(new RegExp(`^${name}_count\\{[^}]*\\} 1$`, 'm'));
    }
  });

  it('name no principal that was not proved, and tell mutual TLS only where it was', () => {
    const metrics = new TrafficMetrics();
    metrics.at(PLACE).requestServed({ ...SERVED, peer: undefined, own: undefined });
    metrics.at({ ...PLACE, reporter: 'source' }).requestServed(SERVED);
    const [plain, source] = metrics.requests.samples().map(({ labels }) => labels);
    expect(plain).to.include({
      source_principal: 'unknown',
      destination_principal: 'unknown',
      connection_security_policy: 'none',
    });
    expect(source).to.include({
      source_principal: ORDERS,
      destination_principal: WEB,
      connection_security_policy: 'unknown',
    });
  });

  it('count each kind of answer in a series of its own', () => {
    const metrics = new TrafficMetrics();
    const traffic = metrics.at(PLACE);
    for (let times = 0; times < 3; times++) traffic.requestServed(SERVED);
    traffic.requestServed({ ...SERVED, status: 503, refusal: 'app_unreachable' });
    traffic.requestServed({ ...SERVED, status: 0, callerLeft: true });
    traffic.requestServed({ ...SERVED, protocol: 'grpc', grpcStatus: '14' });
    const seen = metrics.requests
      .samples()
      .map(
        ({ labels, value }) =>
          `${labels['response_code']} ${labels['response_flags']} ${labels['request_protocol']} ${labels['grpc_response_status']} ${value}`,
      );
    expect(seen).to.deep.equal(['200 - http  3', '503 UF http  1', '0 DC http  1', '200 - grpc 14 1']);
  });

  it('stay bounded, however many peers and answers there are', () => {
    const metrics = new TrafficMetrics();
    const traffic = metrics.at(PLACE);
    for (let at = 0; at < 3000; at++) {
      traffic.requestServed({ ...SERVED, peer: `spiffe://cluster.local/ns/shop/sa/p${at}`, status: 200 + (at % 700) });
    }
    const samples = metrics.requests.samples();
    expect(samples.length).to.be.lessThan(1100);
    expect(samples.reduce((sum, { value }) => sum + value, 0)).to.equal(3000);
  });

  it('count bytes of a TCP connection while it lasts, and its end once', () => {
    const metrics = new TrafficMetrics();
    const flow = metrics.at(PLACE).connectionOpened({ peer: WEB, own: ORDERS });
    const now = (): (number | undefined)[] =>
      [metrics.opened, metrics.sent, metrics.received, metrics.closed].map((one) => one.samples()[0]?.value);
    flow.flowed(10, 1);
    expect(now()).to.deep.equal([1, 10, 1, undefined]);
    flow.flowed(15, 1);
    flow.closed({ refusal: '', durationMs: 1, receivedBytes: 3, sentBytes: 20, peer: WEB, own: ORDERS });
    expect(now()).to.deep.equal([1, 20, 3, 1]);
    expect(metrics.sent.samples()[0]!.labels)
      .to.include({ request_protocol: 'tcp', source_principal: WEB })
      .and.not.have.property('response_code');
  });

  it('know a service by the name that is called', () => {
    expect(serviceOf('orders.shop.svc.cluster.local', 'x')).to.deep.equal({
      host: 'orders.shop.svc.cluster.local',
      name: 'orders',
      namespace: 'shop',
    });
    expect(serviceOf('127.0.0.1', 'orders')).to.deep.equal({ host: 'orders', name: 'orders', namespace: 'unknown' });
    expect(serviceOf('api.example.org', 'api')).to.deep.equal({
      host: 'api.example.org',
      name: 'api',
      namespace: 'unknown',
    });
    expect(ownService({})).to.deep.equal({ host: 'unknown', name: 'unknown', namespace: 'unknown' });
  });

  it('tell what went wrong with the flags of Envoy', () => {
    expect(responseFlags('', false)).to.equal('-');
    expect(responseFlags('', true)).to.equal('DC');
    expect(responseFlags('peer_untrusted', false)).to.equal('UF');
    expect(responseFlags('app_reset', true)).to.equal('UC');
    expect(responseFlags('tunnel_forbidden', false)).to.equal('UAEX');
  });
});
