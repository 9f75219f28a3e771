/**
 * Finds what has not moved for too long. One timer looks at all of them a few times within the shortest limit,
 * instead of one timer per stream being re-armed with every byte; it does not run when there is nothing to watch.
 */
import type { Clock, Timer } from '../../shared/clock/clock.ts';

export interface Watched {
  /** Called every look with the present monotonic time, in milliseconds. */
  look(now: number): void;
}

export class IdleWatch {
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #watched = new Set<Watched>();
  #timer: Timer | undefined;

  /** @param shortestSeconds the shortest limit that whoever is watched has */
  constructor(clock: Clock, shortestSeconds: number) {
    this.#clock = clock;
    this.#everyMs = Math.min(1000, Math.max(10, (shortestSeconds * 1000) / 4));
  }

  /** Monotonic milliseconds. */
  now(): number {
    return this.#clock.monotonic();
  }

  add(one: Watched): void {
    this.#watched.add(one);
    this.#timer ??= this.#clock.after(this.#everyMs, this.#tick);
  }

  remove(one: Watched): void {
    this.#watched.delete(one);
  }

  readonly #tick = (): void => {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    for (const one of this.#watched) one.look(now);
    if (this.#watched.size > 0) this.#timer ??= this.#clock.after(this.#everyMs, this.#tick);
  };
}
