/**
 * How often strangers may have us fetch keys. Anybody can write an unknown key id into a token, so those fetches are
 * few in the long run; but a few may come close together, because an issuer that has just changed its keys signs with
 * the new one at once, and its honest callers should not wait for a refresh.
 */
import type { Clock } from '../../shared/clock/clock.ts';

/** What a fetch costs, in milliseconds of patience. */
const COST_MS = 10_000;
/** Patience that may be saved up: three fetches close together. */
const MOST_SAVED_MS = 3 * COST_MS;
/** Never closer than this to the fetch before, whoever asked for that: milliseconds. */
const LEAST_GAP_MS = 1000;

export class FetchAllowance {
  readonly #clock: Clock;
  #savedMs = MOST_SAVED_MS;
  #countedAt: number;
  #lastFetchAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#countedAt = clock.monotonic();
  }

  /** Milliseconds until the next fetch may be taken; 0: now. */
  waitMs(): number {
    this.#save();
    const gapMs = this.#lastFetchAt + LEAST_GAP_MS - this.#clock.monotonic();
    return Math.max(0, gapMs, COST_MS - this.#savedMs);
  }

  /** @returns whether a fetch may begin; it is counted then */
  take(): boolean {
    if (this.waitMs() > 0) return false;
    this.#savedMs -= COST_MS;
    return true;
  }

  /** A fetch begins, for whatever reason. */
  begun(): void {
    this.#lastFetchAt = this.#clock.monotonic();
  }

  #save(): void {
    const now = this.#clock.monotonic();
    this.#savedMs = Math.min(MOST_SAVED_MS, this.#savedMs + now - this.#countedAt);
    this.#countedAt = now;
  }
}
