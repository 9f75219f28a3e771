/**
 * Stops asking a server that does not answer. After a few failures in a row, and for as long as the server itself
 * asked for (Retry-After), nobody is let through; then one try goes ahead and its outcome decides for all.
 * It only says whether to ask: what a refused caller gets is decided elsewhere, and it is never a yes.
 */
import { type BackoffLimits, backoffDelay } from '../../shared/backoff/backoff.ts';
import type { Clock, Randomness } from '../../shared/clock/clock.ts';

const FAILURES_TO_OPEN = 5;
const PAUSE: BackoffLimits = { firstMs: 500, capMs: 10_000 };
/** How long a server may keep us away: milliseconds. */
const LONGEST_HOLD_MS = 60_000;

export class Circuit {
  readonly #clock: Clock;
  readonly #randomness: Randomness;
  #failures = 0;
  #closedUntil = Number.NEGATIVE_INFINITY;
  #probing = false;

  constructor(clock: Clock, randomness: Randomness) {
    this.#clock = clock;
    this.#randomness = randomness;
  }

  get open(): boolean {
    return this.#failures >= FAILURES_TO_OPEN || this.waitMs() > 0;
  }

  /** Milliseconds until the next try may go ahead; 0: now. */
  waitMs(): number {
    return Math.max(0, this.#closedUntil - this.#clock.monotonic());
  }

  /** Takes the right to one try, which must end in succeeded() or failed(). */
  tryEnter(): boolean {
    if (this.waitMs() > 0) return false;
    if (this.#failures < FAILURES_TO_OPEN) return true;
    if (this.#probing) return false;
    this.#probing = true;
    return true;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#probing = false;
  }

  failed(): void {
    this.#probing = false;
    this.#failures++;
    const beyond = this.#failures - FAILURES_TO_OPEN + 1;
    if (beyond > 0) this.holdFor(backoffDelay(beyond, this.#randomness.draw(), PAUSE));
  }

  /** @param ms milliseconds; the longest of several holds counts */
  holdFor(ms: number): void {
    this.#closedUntil = Math.max(this.#closedUntil, this.#clock.monotonic() + Math.min(ms, LONGEST_HOLD_MS));
  }
}
