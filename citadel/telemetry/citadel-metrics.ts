/**
 * Every metric of citadel, once. Names, units and labels follow the Prometheus conventions; labels hold codes
 * and kinds only, never a pod, an identity or anything else that a caller can choose.
 */
import { Counter, Gauge, Histogram, type Metric } from '../../shared/metrics/metrics.ts';

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const ENTRIES = [1, 2, 4, 8, 16, 32, 64, 128, 256];

export interface CitadelMetrics {
  readonly issued: Counter;
  readonly issuanceSeconds: Histogram;
  readonly refusals: Counter;
  readonly replays: Counter;
  readonly requests: Counter;
  readonly inFlight: Gauge;
  readonly connections: Gauge;
  readonly connectionsDropped: Counter;
  readonly tokenReviews: Counter;
  readonly tokenReviewSeconds: Histogram;
  readonly jwksFetches: Counter;
  readonly journalEntries: Counter;
  readonly journalGroupSize: Histogram;
  readonly journalHealthy: Gauge;
  readonly notAfter: Gauge;
  readonly watchers: Gauge;
  readonly watchersCut: Counter;
  readonly bundleVersion: Gauge;
  readonly acknowledgedVersionMin: Gauge;
  readonly ready: Gauge;
  readonly all: readonly Metric[];
}

export function createCitadelMetrics(version: string): CitadelMetrics {
  const metrics = {
    issued: new Counter('citadel_certificates_issued_total', 'Certificates that were recorded and handed out.'),
    issuanceSeconds: new Histogram(
      'citadel_issuance_duration_seconds',
      'Time of a certificate request, by result: issued, or the code of the refusal.',
      SECONDS,
      ['result'],
    ),
    refusals: new Counter('citadel_refusals_total', 'Requests that were refused, by code.', ['code']),
    replays: new Counter(
      'citadel_replays_total',
      'Tokens or pods seen in a way that looks like a replay, refused or not.',
      ['kind'],
    ),
    requests: new Counter('citadel_requests_total', 'Requests to the API, by call and HTTP status.', [
      'call',
      'status',
    ]),
    inFlight: new Gauge('citadel_requests_in_flight', 'Requests that are being answered, watch streams not counted.'),
    connections: new Gauge('citadel_connections', 'Open connections to the API.'),
    connectionsDropped: new Counter(
      'citadel_connections_dropped_total',
      'Connections closed before a request was read, by reason.',
      ['reason'],
    ),
    tokenReviews: new Counter(
      'citadel_token_reviews_total',
      'TokenReviews asked of the Kubernetes API server, by result.',
      ['result'],
    ),
    tokenReviewSeconds: new Histogram('citadel_token_review_duration_seconds', 'Time of a TokenReview.', SECONDS),
    jwksFetches: new Counter('citadel_jwks_fetches_total', 'Fetches of the keys of the token issuer, by result.', [
      'result',
    ]),
    journalEntries: new Counter(
      'citadel_journal_entries_total',
      'Entries that became durable in the issuance journal.',
    ),
    journalGroupSize: new Histogram('citadel_journal_group_size', 'Entries made durable by one commit.', ENTRIES),
    journalHealthy: new Gauge(
      'citadel_journal_healthy',
      '1 when the journal can be written, else 0: nothing is issued then.',
    ),
    notAfter: new Gauge(
      'citadel_authority_not_after_timestamp_seconds',
      'When a certificate of citadel expires, Unix time.',
      ['certificate'],
    ),
    watchers: new Gauge('citadel_watchers', 'Open watch streams.'),
    watchersCut: new Counter('citadel_watchers_ended_total', 'Watch streams that citadel ended, by reason.', [
      'reason',
    ]),
    bundleVersion: new Gauge('citadel_bundle_version', 'Version of the trust bundle that is being distributed.'),
    acknowledgedVersionMin: new Gauge(
      'citadel_acknowledged_version_min',
      'Lowest bundle version in use among watching pods; the distributed version when nobody watches.',
    ),
    ready: new Gauge('citadel_ready', '1 when citadel can issue, else 0.'),
  };
  const build = new Gauge('citadel_build_info', 'Always 1; the version is in the label.', ['version', 'node']);
  build.set([version, process.versions.node], 1);
  return { ...metrics, all: [...Object.values(metrics), build] };
}
