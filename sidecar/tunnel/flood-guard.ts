/**
 * Counts what costs us more than it costs the peer. Each kind of frame has a bucket of tokens that fills up with time;
 * an empty bucket ends the session (RFC 9113 §10.5). Kinds are apart, so that one that is used much harms no other.
 */
import type { Clock } from '../../shared/clock/clock.ts';
import { H2, SessionFault } from './error-codes.ts';
import type { Allowance, TunnelLimits } from './tunnel-limits.ts';

/** One kind. */
export class Bucket {
  readonly #clock: Clock;
  readonly #allowance: Allowance;
  readonly #what: string;
  #tokens: number;
  #filledAt: number;

  constructor(clock: Clock, allowance: Allowance, what: string) {
    this.#clock = clock;
    this.#allowance = allowance;
    this.#what = what;
    this.#tokens = allowance.burst;
    this.#filledAt = clock.monotonic();
  }

  take(): void {
    if (this.#tokens < 1) this.#fill();
    if (this.#tokens < 1) throw new SessionFault(H2.ENHANCE_YOUR_CALM, `too many ${this.#what}`);
    this.#tokens--;
  }

  /** Looks at the clock only when the bucket is empty: what is below the burst costs a subtraction. */
  #fill(): void {
    const now = this.#clock.monotonic();
    const earned = ((now - this.#filledAt) / 1000) * this.#allowance.perSecond;
    this.#tokens = Math.min(this.#allowance.burst, this.#tokens + earned);
    this.#filledAt = now;
  }
}

/** Entitlements beyond this are forgotten: whoever sent much is not owed a flood. */
const MOST_ENTITLED = 100_000;

export class FloodGuard {
  readonly resets: Bucket;
  readonly pings: Bucket;
  readonly settings: Bucket;
  readonly emptyData: Bucket;
  readonly ignored: Bucket;
  readonly headers: Bucket;
  readonly late: Bucket;
  readonly #windowUpdates: Bucket;
  /** WINDOW_UPDATE frames that the peer may send for the DATA it got. */
  #entitled = 0;

  constructor(clock: Clock, limits: TunnelLimits) {
    this.resets = new Bucket(clock, limits.resets, 'streams reset');
    this.pings = new Bucket(clock, limits.pings, 'PING frames');
    this.settings = new Bucket(clock, limits.settings, 'SETTINGS frames');
    this.emptyData = new Bucket(clock, limits.emptyData, 'empty DATA frames');
    this.ignored = new Bucket(clock, limits.ignored, 'frames without a meaning');
    this.headers = new Bucket(clock, limits.headers, 'HEADERS frames');
    this.late = new Bucket(clock, limits.late, 'frames for streams that are over');
    this.#windowUpdates = new Bucket(clock, limits.windowUpdates, 'WINDOW_UPDATE frames');
  }

  /** Two for each DATA frame (its stream and the connection), and two more for every 4 KiB: some peers credit by pages. */
  entitle(bytes: number): void {
    this.#entitled += 2 + (bytes >> 11);
  }

  windowUpdate(): void {
    if (this.#entitled === 0) return void this.#windowUpdates.take();
    this.#entitled = Math.min(this.#entitled, MOST_ENTITLED) - 1;
  }
}
