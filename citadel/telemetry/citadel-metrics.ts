/**
 * Every metric of citadel, once. Names, units and labels follow the Prometheus conventions; labels hold codes
 * and kinds only, never a pod, an identity or anything else that a caller can choose.
 */
import { Counter, Gauge, Histogram, type Metric } from '../../shared/metrics/metrics.ts';

export type CitadelMetrics = ReturnType<typeof metricTable> & { readonly all: readonly Metric[] };

export function createCitadelMetrics(version: string): CitadelMetrics {
  const table = metricTable();
  table.buildInfo.set([version, process.versions.node], 1);
  return { ...table, all: Object.values(table) };
}

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const ENTRIES = [1, 2, 4, 8, 16, 32, 64, 128, 256];

function metricTable() {
  return { ...issuanceMetrics(), ...apiMetrics(), ...attestationMetrics(), ...journalMetrics(), ...stateMetrics() };
}

function issuanceMetrics() {
  const duration = 'Time of a certificate request, by result: issued, or the code of the refusal.';
  return {
    issued: new Counter('citadel_certificates_issued_total', 'Certificates that were recorded and handed out.'),
    issuanceSeconds: new Histogram('citadel_issuance_duration_seconds', duration, SECONDS, ['result']),
    refusals: new Counter('citadel_refusals_total', 'Requests that were refused, by code.', ['code']),
    replays: new Counter(
      'citadel_replays_total',
      'Tokens or pods seen in a way that looks like a replay, refused or not.',
      ['kind'],
    ),
  };
}

function apiMetrics() {
  const dropped = 'Connections closed before a request was read, by reason.';
  const lowest = 'Lowest bundle version in use among watching pods; the distributed version when nobody watches.';
  return {
    requests: new Counter('citadel_requests_total', 'Requests to the API, by call and HTTP status.', [
      'call',
      'status',
    ]),
    inFlight: new Gauge('citadel_requests_in_flight', 'Requests that are worked on, watch streams not counted.'),
    connections: new Gauge('citadel_connections', 'Open connections to the API.'),
    connectionsDropped: new Counter('citadel_connections_dropped_total', dropped, ['reason']),
    watchers: new Gauge('citadel_watchers', 'Open watch streams.'),
    watchersEnded: new Counter('citadel_watchers_ended_total', 'Watch streams that ended, by reason.', ['reason']),
    bundleVersion: new Gauge('citadel_bundle_version', 'Version of the trust bundle that is being distributed.'),
    acknowledgedVersionMin: new Gauge('citadel_acknowledged_version_min', lowest),
  };
}

function attestationMetrics() {
  const reviews = 'TokenReviews asked of the Kubernetes API server, by result.';
  return {
    tokenReviews: new Counter('citadel_token_reviews_total', reviews, ['result']),
    tokenReviewSeconds: new Histogram('citadel_token_review_duration_seconds', 'Time of a TokenReview.', SECONDS),
    tokenReviewsActive: new Gauge('citadel_token_reviews_active', 'TokenReviews that are being answered.'),
    tokenReviewsWaiting: new Gauge('citadel_token_reviews_waiting', 'TokenReviews that wait for their turn.'),
    jwksFetches: new Counter('citadel_jwks_fetches_total', 'Fetches of the keys of the token issuer, by result.', [
      'result',
    ]),
  };
}

function journalMetrics() {
  const healthy = '1 when the journal can be written, else 0: nothing is issued then.';
  return {
    journalEntries: new Counter(
      'citadel_journal_entries_total',
      'Entries that became durable in the issuance journal.',
    ),
    journalGroupSize: new Histogram('citadel_journal_group_size', 'Entries made durable by one commit.', ENTRIES),
    journalCommitSeconds: new Histogram('citadel_journal_commit_duration_seconds', 'Time of one commit.', SECONDS),
    journalHealthy: new Gauge('citadel_journal_healthy', healthy),
  };
}

function stateMetrics() {
  const notAfter = 'When a certificate of citadel expires, Unix time.';
  return {
    notAfter: new Gauge('citadel_authority_not_after_timestamp_seconds', notAfter, ['certificate']),
    authorityEvents: new Counter('citadel_authority_events_total', 'What happened to the authority, by event.', [
      'event',
    ]),
    ready: new Gauge('citadel_ready', '1 when citadel can issue, else 0.'),
    buildInfo: new Gauge('citadel_build_info', 'Always 1; the version is in the label.', ['version', 'node']),
  };
}
