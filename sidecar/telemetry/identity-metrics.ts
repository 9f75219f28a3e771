/**
 * What an operator can watch of identities: when certificate and token end, how renewals go, how handshakes end.
 * Times are timestamps, not ages, so that a dead sidecar does not look healthy. Label values are codes from the
 * one table of refusals, or `ok`.
 */
import { Counter, Gauge, Histogram, type Metric } from '../../shared/metrics/metrics.ts';

export class IdentityMetrics {
  readonly certificateExpiry = new Gauge(
    'sidecar_certificate_expiry_timestamp_seconds',
    'When the certificate in use ends, in seconds since the Unix epoch; 0 before the first one.',
  );
  readonly certificateNotBefore = new Gauge(
    'sidecar_certificate_not_before_timestamp_seconds',
    'When the certificate in use begins, in seconds since the Unix epoch; 0 before the first one.',
  );
  readonly certificateGeneration = new Gauge(
    'sidecar_certificate_generation',
    'How many certificates this process has put to use.',
  );
  readonly nextRenewal = new Gauge(
    'sidecar_next_renewal_timestamp_seconds',
    'When the sidecar will next ask for a certificate, in seconds since the Unix epoch.',
  );
  readonly tokenExpiry = new Gauge(
    'sidecar_token_expiry_timestamp_seconds',
    'When the service account token last read ends, in seconds since the Unix epoch; 0 when it does not say.',
  );
  readonly renewals = new Counter(
    'sidecar_renewals_total',
    'Tries to get a certificate, by result: ok, or the code of the refusal.',
    ['result'],
  );
  readonly renewalDuration = new Histogram(
    'sidecar_renewal_duration_seconds',
    'Time of a try to get a certificate, from reading the token to the certificate in use.',
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  );
  readonly clockSkew = new Gauge(
    'sidecar_clock_skew_seconds',
    'Seconds by which this clock is ahead of citadel’s, by the last answer; exact to half its round trip.',
  );
  readonly bundleVersion = new Gauge(
    'sidecar_bundle_version',
    'Version of the watch message whose trust bundle is in use; 0 before the first.',
  );
  readonly bundleSequence = new Gauge('sidecar_bundle_sequence', 'SPIFFE sequence number of the trust bundle in use.');
  readonly bundleAuthorities = new Gauge(
    'sidecar_bundle_authorities',
    'Authorities in the trust bundle in use. 0: nobody is trusted.',
  );
  readonly watchConnected = new Gauge(
    'sidecar_watch_connected',
    '1 while the watch stream from citadel is open, else 0.',
  );
  readonly handshakes = new Counter(
    'sidecar_handshakes_total',
    'Mutual TLS handshakes with peers, by direction and result: ok, or the code of the refusal.',
    ['direction', 'result'],
  );
  readonly ready = new Gauge('sidecar_ready', '1 when /readyz answers 200, else 0.');
  readonly refusals = new Counter(
    'sidecar_refusals_total',
    'Everything this sidecar refused or could not carry, by code.',
    ['code'],
  );
  readonly #buildInfo = new Gauge('sidecar_build_info', 'Always 1; the labels say what is running.', [
    'version',
    'node_version',
  ]);

  constructor(version: string) {
    this.#buildInfo.set([version, process.version], 1);
  }

  all(): readonly Metric[] {
    return [...(Object.values(this) as Metric[]), this.#buildInfo];
  }
}
