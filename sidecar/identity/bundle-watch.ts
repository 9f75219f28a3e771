/**
 * Keeps the trust bundle current: one watch stream after the other, for as long as the sidecar runs. A bundle is
 * acknowledged only once the store has put it to use. It asks for no certificate.
 */
import { type BackoffLimits, backoffDelay } from '../../shared/backoff/backoff.ts';
import { type Clock, pause, type Randomness } from '../../shared/clock/clock.ts';
import { asRefusal } from '../../shared/errors/refusal.ts';
import type { Log } from '../../shared/log/log.ts';
import type { TrustBundle } from '../../shared/spiffe/trust-bundle.ts';
import type { IdentityMetrics } from '../telemetry/identity-metrics.ts';
import { Acknowledgements } from './acknowledgements.ts';
import type { IdentitySource, OnBundle } from './identity-source.ts';
import type { IdentityStore } from './identity-store.ts';
import { retryCapMs } from './renewal-schedule.ts';

export interface BundleWatchOptions {
  readonly source: IdentitySource;
  readonly store: IdentityStore;
  readonly backoff: BackoffLimits;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly log: Log;
  readonly metrics: IdentityMetrics;
  /** citadel is there: a good moment for whoever waits for it. */
  onConnected(): void;
}

export class BundleWatch {
  readonly #options: BundleWatchOptions;
  readonly #acknowledgements: Acknowledgements;
  #failures = 0;

  constructor(options: BundleWatchOptions) {
    this.#options = options;
    this.#acknowledgements = new Acknowledgements(options);
  }

  /** Runs until the signal is aborted; never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const { source, clock, log, metrics, backoff } = this.#options;
    const onBundle: OnBundle = (bundle, version) => {
      this.#use(bundle, version);
      this.#acknowledgements.inUse(version, signal);
    };
    while (!signal.aborted) {
      const opened = clock.monotonic();
      try {
        await source.watchBundles(onBundle, signal);
        log.debug('watch_ended');
      } catch (error) {
        if (signal.aborted) return;
        const { code, detail } = asRefusal(error, 'citadel_unreachable');
        log.warn('watch_failed', { code, detail });
      }
      metrics.watchConnected.set([], 0);
      // A stream that ends as soon as it has begun is a failure too: whoever cuts it must not be asked in a circle.
      if (clock.monotonic() - opened > backoff.capMs) this.#failures = 0;
      this.#failures++;
      await this.#rest(signal);
    }
  }

  /** @throws {Refusal} when the store does not take it */
  #use(bundle: TrustBundle, version: number): void {
    const { store, log, metrics, onConnected } = this.#options;
    metrics.watchConnected.set([], 1);
    try {
      const before = store.trust?.version;
      store.publishTrust(bundle);
      metrics.bundleVersion.set([], version);
      metrics.bundleSequence.set([], bundle.sequence);
      metrics.bundleAuthorities.set([], bundle.authorities.length);
      if (store.trust?.version === before) return;
      const { trustDomain, sequence, authorities } = bundle;
      log.info('bundle_published', { trustDomain, version, sequence, authorities: authorities.length });
    } finally {
      onConnected();
    }
  }

  async #rest(signal: AbortSignal): Promise<void> {
    try {
      await pause(this.#options.clock, this.#delay(), signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  #delay(): number {
    const { store, clock, randomness, backoff } = this.#options;
    const leftMs = (store.identity?.notAfter ?? 0) - clock.now();
    return backoffDelay(this.#failures, randomness.draw(), { ...backoff, capMs: retryCapMs(leftMs, backoff.capMs) });
  }
}
