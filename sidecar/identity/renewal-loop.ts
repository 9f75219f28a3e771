/**
 * Gets the first certificate and every later one, for as long as the sidecar runs. Each try has a fresh key that
 * never leaves memory; a failure is followed by a wait and another try, without end; a good certificate stays in
 * use until it expires. When to try is decided in renewal-schedule.ts, whether to use an answer in identity-store.ts.
 */
import { generateKeyPairSync } from 'node:crypto';
import { type BackoffLimits, backoffDelay } from '../../shared/backoff/backoff.ts';
import type { Clock, Randomness, Timer } from '../../shared/clock/clock.ts';
import { asRefusal, type Refusal, type RefusalCode } from '../../shared/errors/refusal.ts';
import type { Log } from '../../shared/log/log.ts';
import { buildCsr } from '../../shared/x509/csr-builder.ts';
import type { IdentityMetrics } from '../telemetry/identity-metrics.ts';
import type { Identity } from './identity.ts';
import type { IdentitySource } from './identity-source.ts';
import type { IdentityStore } from './identity-store.ts';
import { renewAt, retryCapMs } from './renewal-schedule.ts';
import { type RenewalPlan, RenewalWait } from './renewal-wait.ts';

export interface RenewalLoopOptions {
  readonly source: IdentitySource;
  readonly store: IdentityStore;
  readonly backoff: BackoffLimits;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly log: Log;
  readonly metrics: IdentityMetrics;
}

/** How the newest try went, for the admin page. */
export interface RenewalState {
  /** Milliseconds since the Unix epoch. */
  readonly nextTryAt: number | undefined;
  readonly lastFailure: { readonly code: RefusalCode; readonly at: number } | undefined;
  /** Tries that have failed since the last success. */
  readonly failures: number;
}

export class RenewalLoop {
  readonly #options: RenewalLoopOptions;
  readonly #wait: RenewalWait;
  #failures = 0;
  #lastFailure: RenewalState['lastFailure'];
  #expiry: Timer | undefined;

  constructor(options: RenewalLoopOptions) {
    this.#options = options;
    this.#wait = new RenewalWait(options.clock);
  }

  get state(): RenewalState {
    return { nextTryAt: this.#wait.until, lastFailure: this.#lastFailure, failures: this.#failures };
  }

  /** Runs until the signal is aborted; never throws. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const plan = await this.#try(signal);
      this.#options.metrics.nextRenewal.set([], plan.at / 1000);
      await this.#wait.for(plan, signal);
    }
    this.#expiry?.cancel();
  }

  /** Something changed that may make a failing try succeed. Does nothing while a good certificate is in use. */
  retryNow(): void {
    this.#wait.wake('retry');
  }

  /** Asks for a new certificate now, whatever the state. */
  renewNow(): void {
    this.#wait.wake('renew');
  }

  async #try(signal: AbortSignal): Promise<RenewalPlan> {
    const { clock, metrics } = this.#options;
    const started = clock.monotonic();
    try {
      const identity = await this.#renew(signal);
      metrics.renewals.inc(['ok']);
      metrics.renewalDuration.observe((clock.monotonic() - started) / 1000);
      return this.#afterSuccess(identity);
    } catch (error) {
      if (signal.aborted) return { at: clock.now(), retrying: true };
      const refusal = asRefusal(error, 'citadel_answer_invalid');
      metrics.renewals.inc([refusal.code]);
      return this.#afterFailure(refusal);
    }
  }

  async #renew(signal: AbortSignal): Promise<Identity> {
    const { source, store, log } = this.#options;
    const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { chain, authorities, spiffeId, entry } = await source.obtain(buildCsr(keys), signal);
    store.bootstrapTrust(authorities);
    const before = store.identity;
    const identity = store.publish({ chain, privateKey: keys.privateKey });
    if (spiffeId !== identity.spiffeId.uri)
      log.warn('citadel_answer_inconsistent', { said: spiffeId, certified: identity.spiffeId.uri });
    if (before && before.spiffeId.uri !== identity.spiffeId.uri) {
      log.warn('identity_changed', { before: before.spiffeId.uri, now: identity.spiffeId.uri });
    }
    this.#report(identity, entry);
    return identity;
  }

  #report(identity: Identity, entry: number): void {
    const { log, metrics, clock } = this.#options;
    const { spiffeId, leaf, notBefore, notAfter, generation } = identity;
    metrics.certificateExpiry.set([], notAfter / 1000);
    metrics.certificateNotBefore.set([], notBefore / 1000);
    metrics.certificateGeneration.set([], generation);
    log.info('identity_published', {
      spiffeId: spiffeId.uri,
      serial: leaf.serial,
      notAfter: isoOf(notAfter),
      generation,
      entry,
    });
    this.#expiry?.cancel();
    this.#expiry = clock.after(notAfter - clock.now(), () =>
      log.error('identity_expired', { spiffeId: spiffeId.uri, serial: leaf.serial }),
    );
  }

  #afterSuccess({ notAfter }: Identity): RenewalPlan {
    const { clock, randomness } = this.#options;
    this.#failures = 0;
    this.#lastFailure = undefined;
    return { at: renewAt({ installedAt: clock.now(), notAfter }, randomness.draw()), retrying: false };
  }

  #afterFailure({ code, detail, retryAfterSeconds = 0 }: Refusal): RenewalPlan {
    const { clock, randomness, store, backoff, log } = this.#options;
    const now = clock.now();
    this.#failures++;
    this.#lastFailure = { code, at: now };
    const capMs = retryCapMs((store.identity?.notAfter ?? 0) - now, backoff.capMs);
    const draw = randomness.draw();
    // Everyone who was sent away with the same Retry-After would come back at once: spread over a fifth of it.
    const waitMs = Math.max(
      backoffDelay(this.#failures, draw, { ...backoff, capMs }),
      retryAfterSeconds * 1000 * (1 + draw / 5),
    );
    log.warn('renewal_failed', {
      code,
      detail,
      failures: this.#failures,
      nextTryInMs: Math.round(waitMs),
      ...endOf(store.identity),
    });
    return { at: now + waitMs, retrying: true, notBefore: now + retryAfterSeconds * 1000 };
  }
}

function endOf(identity: Identity | undefined): Record<string, string> {
  return identity ? { certificateEnds: isoOf(identity.notAfter) } : {};
}

function isoOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
