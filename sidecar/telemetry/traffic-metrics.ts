/**
 * Requests, bytes and durations under Istio's names and labels. On the hot path a series is found by the code of
 * the answer in a small map of the peer; labels are only built when a series is new. Peers, and with them series,
 * are bounded: past the limit they are counted under `other`.
 */
import { Counter, type Distribution, Histogram, type Metric } from '../../shared/metrics/metrics.ts';
import { commonValues, HTTP_LABELS, type Principals, TCP_LABELS, type TrafficPlace } from './istio-labels.ts';
import { responseFlags } from './response-flags.ts';
import type { ServedConnection, ServedRequest } from './served-request.ts';

/** Milliseconds, as Envoy has them. */
const DURATIONS = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
  3_600_000,
];
/** Bytes. */
const SIZES = [64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864, 268_435_456];

const MOST_PEERS = 200;
const OTHER = 'other';

export class TrafficMetrics {
  readonly requests = new Counter('istio_requests_total', 'Requests that were answered, refused or left.', HTTP_LABELS);
  readonly durations = new Histogram(
    'istio_request_duration_milliseconds',
    'Time from the head of a request to the end of its answer.',
    DURATIONS,
    HTTP_LABELS,
  );
  readonly requestBytes = new Histogram('istio_request_bytes', 'Size of the bodies of requests.', SIZES, HTTP_LABELS);
  readonly answerBytes = new Histogram('istio_response_bytes', 'Size of the bodies of answers.', SIZES, HTTP_LABELS);
  readonly opened = new Counter('istio_tcp_connections_opened_total', 'TCP connections that were opened.', TCP_LABELS);
  readonly closed = new Counter('istio_tcp_connections_closed_total', 'TCP connections that were closed.', TCP_LABELS);
  readonly sent = new Counter('istio_tcp_sent_bytes_total', 'Bytes to the one who connected.', TCP_LABELS);
  readonly received = new Counter('istio_tcp_received_bytes_total', 'Bytes from the one who connected.', TCP_LABELS);

  /** What one listener counts into. */
  at(place: TrafficPlace): ListenerTraffic {
    return new ListenerTraffic(this, place);
  }

  all(): readonly Metric[] {
    return Object.values(this) as Metric[];
  }
}

export class ListenerTraffic {
  readonly #metrics: TrafficMetrics;
  readonly #place: TrafficPlace;
  readonly #peers = new Map<string, PeerTraffic>();
  /** Nearly always the one of the request before: comparing costs less than a key. */
  #latest:
    | { readonly peer: string | undefined; readonly own: string | undefined; readonly traffic: PeerTraffic }
    | undefined;

  constructor(metrics: TrafficMetrics, place: TrafficPlace) {
    this.#metrics = metrics;
    this.#place = place;
  }

  requestServed(served: ServedRequest): void {
    this.#with(served).requestServed(served);
  }

  /** A connection whose bytes are counted as they flow: call `flowed` now and then, and `closed` once. */
  connectionOpened(principals: Principals): FlowingConnection {
    return this.#with(principals).connectionOpened();
  }

  #with({ peer, own }: Principals): PeerTraffic {
    const latest = this.#latest;
    if (latest !== undefined && latest.peer === peer && latest.own === own) return latest.traffic;
    const traffic = this.#of({ peer, own });
    this.#latest = { peer, own, traffic };
    return traffic;
  }

  #of({ peer, own }: Principals): PeerTraffic {
    const key = `${peer ?? ''} ${own ?? ''}`;
    const known = this.#peers.get(key);
    if (known) return known;
    if (this.#peers.size >= MOST_PEERS && peer !== OTHER) return this.#of({ peer: OTHER, own: OTHER });
    const fresh = new PeerTraffic(this.#metrics, commonValues(this.#place, { peer, own }));
    this.#peers.set(key, fresh);
    return fresh;
  }
}

interface RequestSeries {
  readonly status: number;
  readonly flags: string;
  readonly protocol: string;
  readonly grpcStatus: string;
  readonly requests: { value: number };
  readonly durations: Distribution;
  readonly requestBytes: Distribution;
  readonly answerBytes: Distribution;
}

class PeerTraffic {
  readonly #metrics: TrafficMetrics;
  readonly #common: readonly string[];
  readonly #series = new Map<string, RequestSeries>();
  /** Nearly always that of the request before. */
  #latest: RequestSeries | undefined;

  constructor(metrics: TrafficMetrics, common: readonly string[]) {
    this.#metrics = metrics;
    this.#common = common;
  }

  requestServed({
    protocol,
    status,
    grpcStatus,
    refusal,
    callerLeft,
    durationMs,
    requestBytes,
    answerBytes,
  }: ServedRequest): void {
    const flags = responseFlags(refusal, callerLeft);
    let series = this.#latest;
    if (
      series === undefined ||
      series.status !== status ||
      series.flags !== flags ||
      series.protocol !== protocol ||
      series.grpcStatus !== grpcStatus
    ) {
      series = this.#seriesOf(status, flags, protocol, grpcStatus);
      this.#latest = series;
    }
    series.requests.value++;
    series.durations.observe(durationMs);
    series.requestBytes.observe(requestBytes);
    series.answerBytes.observe(answerBytes);
  }

  connectionOpened(): FlowingConnection {
    this.#metrics.opened.inc([...this.#common, 'tcp', '-']);
    return new FlowingConnection(this.#metrics, this.#common);
  }

  #seriesOf(status: number, flags: string, protocol: string, grpcStatus: string): RequestSeries {
    const key = `${status} ${flags} ${protocol} ${grpcStatus}`;
    const known = this.#series.get(key);
    if (known) return known;
    const { requests, durations, requestBytes, answerBytes } = this.#metrics;
    const values = [...this.#common, protocol, flags, String(status), grpcStatus];
    const series = {
      status,
      flags,
      protocol,
      grpcStatus,
      requests: requests.series(values),
      durations: durations.series(values),
      requestBytes: requestBytes.series(values),
      answerBytes: answerBytes.series(values),
    };
    // The metrics bound what is exposed; this bounds the short cut to it.
    if (this.#series.size < MOST_PEERS) this.#series.set(key, series);
    return series;
  }
}

export class FlowingConnection {
  readonly #metrics: TrafficMetrics;
  readonly #common: readonly string[];
  #sent = 0;
  #received = 0;

  constructor(metrics: TrafficMetrics, common: readonly string[]) {
    this.#metrics = metrics;
    this.#common = common;
  }

  /** @param sentBytes since the connection was opened; @param receivedBytes since the connection was opened */
  flowed(sentBytes: number, receivedBytes: number): void {
    const values = [...this.#common, 'tcp', '-'];
    this.#metrics.sent.inc(values, sentBytes - this.#sent);
    this.#metrics.received.inc(values, receivedBytes - this.#received);
    this.#sent = sentBytes;
    this.#received = receivedBytes;
  }

  closed({ refusal, sentBytes, receivedBytes }: ServedConnection): void {
    this.flowed(sentBytes, receivedBytes);
    this.#metrics.closed.inc([...this.#common, 'tcp', responseFlags(refusal, false)]);
  }
}
