/**
 * The wait between two tries, which ends early when there is a reason. It looks at the wall clock at intervals
 * instead of trusting one long timer: a machine that slept, or a clock that was set, must not miss a renewal.
 */
import { type Clock, pause } from '../../shared/clock/clock.ts';

export interface RenewalPlan {
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  /** Whether the last try failed: then anything that may help is a reason to try at once. */
  readonly retrying: boolean;
  /** Milliseconds since the Unix epoch: the source asked not to be bothered before. */
  readonly notBefore?: number;
}

/** `retry`: a failed try may succeed now. `renew`: a new certificate is wanted in any case. */
export type Wake = 'retry' | 'renew';

/** After a sleep the certificate has expired and nobody gets in: that is not to last longer than an outage of citadel. */
const LOOK_MS = 5_000;

export class RenewalWait {
  readonly #clock: Clock;
  #plan: RenewalPlan | undefined;
  #nap: AbortController | undefined;
  /** A wish that came while nobody waited: during a try, it is for the time after it. */
  #pending: Wake | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** When the wait ends by itself, milliseconds since the Unix epoch; undefined while nobody waits. */
  get until(): number | undefined {
    return this.#plan?.at;
  }

  /** Resolves when the moment has come, at a fitting wake, or when the signal is aborted. */
  async for(plan: RenewalPlan, signal: AbortSignal): Promise<void> {
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending !== undefined && this.#fits(pending, plan)) return;
    const nap = new AbortController();
    const stop = (): void => nap.abort();
    signal.addEventListener('abort', stop, { once: true });
    this.#plan = plan;
    this.#nap = nap;
    const leftMs = this.#countdown(plan);
    try {
      for (let left = leftMs(); left > 0 && !nap.signal.aborted; left = leftMs()) {
        await pause(this.#clock, Math.min(left, LOOK_MS), nap.signal);
      }
    } catch (error) {
      if (!nap.signal.aborted) throw error;
    } finally {
      this.#plan = undefined;
      this.#nap = undefined;
      signal.removeEventListener('abort', stop);
    }
  }

  /** A renewal goes by the wall clock, as its certificate does. A retry is never late because that clock was set back. */
  #countdown({ at, retrying }: RenewalPlan): () => number {
    const clock = this.#clock;
    const started = clock.monotonic();
    const whole = at - clock.now();
    return () => Math.min(at - clock.now(), retrying ? whole - (clock.monotonic() - started) : Infinity);
  }

  wake(why: Wake): void {
    if (!this.#plan) this.#pending = this.#pending === 'renew' ? 'renew' : why;
    else if (this.#fits(why, this.#plan)) this.#nap?.abort();
  }

  /** A wish of the operator always does; a mere hope waits as long as the source has asked for. */
  #fits(why: Wake, { retrying, notBefore = 0 }: RenewalPlan): boolean {
    return why === 'renew' || (retrying && this.#clock.now() >= notBefore);
  }
}
