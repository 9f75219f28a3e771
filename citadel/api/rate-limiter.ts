/**
 * A token bucket per caller, so that one pod in a restart loop costs no other pod its certificate. Bounded: the
 * caller unseen for longest is forgotten first, which at worst fills its bucket again.
 */
import type { Clock } from '../../shared/clock/clock.ts';
import { Refusal } from '../../shared/errors/refusal.ts';

export interface RateLimits {
  readonly perSecond: number;
  readonly burst: number;
  readonly mostCallers?: number;
}

interface Bucket {
  left: number;
  /** Monotonic milliseconds. */
  filledAt: number;
}

export class RateLimiter {
  readonly #clock: Clock;
  readonly #perMs: number;
  readonly #burst: number;
  readonly #most: number;
  /** In the order of last use. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Clock, { perSecond, burst, mostCallers = 50_000 }: RateLimits) {
    this.#clock = clock;
    this.#perMs = perSecond / 1000;
    this.#burst = burst;
    this.#most = mostCallers;
  }

  get callers(): number {
    return this.#buckets.size;
  }

  /** @throws {Refusal} rate_limited, with the seconds until the next request is let through */
  take(caller: string): void {
    const now = this.#clock.monotonic();
    const bucket = this.#bucketOf(caller, now);
    bucket.left = Math.min(this.#burst, bucket.left + (now - bucket.filledAt) * this.#perMs);
    bucket.filledAt = now;
    if (bucket.left < 1)
      throw new Refusal('rate_limited', { retryAfterSeconds: (1 - bucket.left) / this.#perMs / 1000 });
    bucket.left -= 1;
  }

  #bucketOf(caller: string, now: number): Bucket {
    const bucket = this.#buckets.get(caller) ?? { left: this.#burst, filledAt: now };
    this.#buckets.delete(caller);
    this.#buckets.set(caller, bucket);
    if (this.#buckets.size > this.#most) this.#buckets.delete(this.#buckets.keys().next().value!);
    return bucket;
  }
}
