/**
 * A clock that stands still until a test moves it. Timers fire in their order while it moves, and between two of
 * them everything that was waiting in promises gets its turn. The wall clock can be set apart from the durations.
 */
import type { Clock, Timer } from '../../shared/clock/clock.ts';

interface Waiting {
  readonly at: number;
  readonly fire: () => void;
}

export class FakeClock implements Clock {
  #monotonic = 0;
  /** Milliseconds by which the wall clock is ahead of the durations. */
  #wall: number;
  readonly #timers = new Set<Waiting>();

  /** @param start the wall clock's time: milliseconds since the Unix epoch */
  constructor(start = Date.UTC(2026, 0, 1)) {
    this.#wall = start;
  }

  now(): number {
    return this.#wall + this.#monotonic;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  after(ms: number, fire: () => void): Timer {
    const waiting = { at: this.#monotonic + Math.max(0, ms), fire };
    this.#timers.add(waiting);
    const cancel = (): void => void this.#timers.delete(waiting);
    return { cancel, [Symbol.dispose]: cancel };
  }

  /** How many timers are armed. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Milliseconds until the next timer fires, or undefined when there is none. */
  get nextIn(): number | undefined {
    const next = this.#next();
    return next && next.at - this.#monotonic;
  }

  /** Sets the wall clock without letting any time pass. */
  jump(ms: number): void {
    this.#wall += ms;
  }

  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms;
    await settle();
    for (let next = this.#next(); next && next.at <= end; next = this.#next()) {
      this.#timers.delete(next);
      this.#monotonic = Math.max(this.#monotonic, next.at);
      next.fire();
      await settle();
    }
    this.#monotonic = end;
    await settle();
  }

  #next(): Waiting | undefined {
    let next: Waiting | undefined;
    for (const waiting of this.#timers) if (!next || waiting.at < next.at) next = waiting;
    return next;
  }
}

/** Lets everything that is ready run, also what becomes ready by it. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
}
