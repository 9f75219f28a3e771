/**
 * The keys of a token issuer, kept fresh: fetched when first needed, again now and then, and again for a key id
 * that is not known, but not more often than an allowance says, whatever callers send. Keys once fetched stay
 * in use while the issuer is away. It never takes keys over plain HTTP except from a development issuer.
 */
import { backoffDelay } from '../../shared/backoff/backoff.ts';
import type { Clock, Randomness, Timer } from '../../shared/clock/clock.ts';
import { Refusal } from '../../shared/errors/refusal.ts';
import type { Log } from '../../shared/log/log.ts';
import { FetchAllowance } from './fetch-allowance.ts';
import { IssuerDocumentError, type KeySet } from './issuer-documents.ts';
import { untilAborted } from './single-flight.ts';
import type { VerificationKey } from './verify-jwt.ts';

/** Where a verifier gets keys from. */
export interface KeySource {
  /** @throws {Refusal} token_key_unknown, token_keys_unavailable */
  find(keyId: string, signal: AbortSignal): Promise<VerificationKey>;
  close(): Promise<void>;
}

export interface JwksSourceOptions {
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly log: Log;
  /** One fetch of the key set: ends by itself. */
  readonly fetchKeys: () => Promise<KeySet>;
  /** Milliseconds between two fetches that nobody asked for. */
  readonly refreshMs?: number;
  /** Called after each fetch, for metrics. */
  readonly onFetch?: (outcome: 'fetched' | 'failed') => void;
}

const RETRY = { firstMs: 1000, capMs: 60_000 };

export class JwksSource implements KeySource {
  readonly #options: Required<Omit<JwksSourceOptions, 'onFetch'>> & Pick<JwksSourceOptions, 'onFetch'>;
  readonly #allowance: FetchAllowance;
  #keys: ReadonlyMap<string, VerificationKey> = new Map();
  #fetching: Promise<void> | undefined;
  #tried = false;
  /** Fetches that failed since the last good one. */
  #failures = 0;
  #lastProblem = 'they were not fetched yet';
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: JwksSourceOptions) {
    this.#options = { refreshMs: 300_000, ...options };
    this.#allowance = new FetchAllowance(options.clock);
  }

  /** Failed fetches in a row; 0: what is known is fresh. */
  get failures(): number {
    return this.#failures;
  }

  /** Why the last failed fetch failed. */
  get lastProblem(): string {
    return this.#lastProblem;
  }

  get keyCount(): number {
    return this.#keys.size;
  }

  async find(keyId: string, signal: AbortSignal): Promise<VerificationKey> {
    const known = this.#keys.get(keyId);
    if (known) return known;
    const looks = this.#fetching !== undefined || this.#allowance.take();
    if (looks) await untilAborted(this.refresh(), signal);
    const fetched = this.#keys.get(keyId);
    if (fetched) return fetched;
    // Without a fresh key set nobody can say that the key does not exist.
    if (this.#failures > 0 || !this.#tried) {
      const detail = `${this.#failures} fetches of the key set failed`;
      throw new Refusal('token_keys_unavailable', { detail, retryAfterSeconds: this.#nextLookSeconds() });
    }
    const detail = `kid ${JSON.stringify(keyId.slice(0, 64))}`;
    // Nobody has looked for this key id: when someone may, the answer can be another one.
    throw new Refusal('token_key_unknown', looks ? { detail } : { detail, retryAfterSeconds: this.#nextLookSeconds() });
  }

  /** Fetches now, or joins the fetch that is under way. Never rejects: a failure is logged and the keys stay. */
  refresh(): Promise<void> {
    this.#fetching ??= this.#fetch().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#fetching;
  }

  async #fetch(): Promise<void> {
    const { fetchKeys, log, onFetch } = this.#options;
    if (this.#closed) return;
    this.#timer?.cancel();
    this.#tried = true;
    this.#allowance.begun();
    try {
      const { keys } = await fetchKeys();
      const added = [...keys.keys()].filter((keyId) => !this.#keys.has(keyId)).length;
      if (added > 0 || keys.size !== this.#keys.size) log.info('issuer_keys_changed', { keys: keys.size, added });
      this.#keys = keys;
      this.#failures = 0;
      onFetch?.('fetched');
    } catch (error) {
      this.#failures++;
      this.#lastProblem = error instanceof Error ? error.message : String(error);
      const malformed = error instanceof IssuerDocumentError;
      log.warn('issuer_keys_unavailable', {
        reason: this.#lastProblem,
        malformed,
        failures: this.#failures,
        keysKept: this.#keys.size,
      });
      onFetch?.('failed');
    }
    this.#schedule();
  }

  #schedule(): void {
    if (this.#closed) return;
    const { clock, randomness, refreshMs } = this.#options;
    // Replicas that started together drift apart by a tenth.
    const wait =
      this.#failures > 0
        ? backoffDelay(this.#failures, randomness.draw(), RETRY)
        : refreshMs * (0.9 + 0.2 * randomness.draw());
    this.#timer = clock.after(wait, () => void this.refresh());
  }

  #nextLookSeconds(): number {
    return Math.max(1, Math.ceil(this.#allowance.waitMs() / 1000));
  }
}
