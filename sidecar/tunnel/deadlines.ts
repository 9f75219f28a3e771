/** All deadlines of one session behind a single timer: it is armed for the earliest, and streams need none. */
import type { Clock, Timer } from '../../shared/clock/clock.ts';

/** Each names one thing that is waited for. */
export type Deadline = 'settings' | 'ping' | 'silence' | 'open' | 'goaway' | 'close';

interface Due {
  readonly at: number;
  readonly fire: () => void;
}

export class Deadlines {
  readonly #clock: Clock;
  readonly #due = new Map<Deadline, Due>();
  #timer: Timer | undefined;
  #armedFor = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** In so many milliseconds, instead of what was set for the same thing before. */
  set(what: Deadline, ms: number, fire: () => void): void {
    const at = this.#clock.monotonic() + ms;
    this.#due.set(what, { at, fire });
    // A timer that is early looks again; one that is late must be replaced.
    if (at < this.#armedFor) this.#arm(at);
  }

  has(what: Deadline): boolean {
    return this.#due.has(what);
  }

  clear(what: Deadline): void {
    this.#due.delete(what);
  }

  clearAll(): void {
    this.#due.clear();
    this.#timer?.cancel();
    this.#armedFor = Number.POSITIVE_INFINITY;
  }

  #arm(at: number): void {
    this.#timer?.cancel();
    this.#armedFor = at;
    this.#timer = this.#clock.after(at - this.#clock.monotonic(), () => this.#ring());
  }

  #ring(): void {
    this.#armedFor = Number.POSITIVE_INFINITY;
    const now = this.#clock.monotonic();
    for (const [what, { at, fire }] of [...this.#due]) {
      if (at > now || this.#due.get(what)?.fire !== fire) continue;
      this.#due.delete(what);
      fire();
    }
    let next = Number.POSITIVE_INFINITY;
    for (const { at } of this.#due.values()) next = Math.min(next, at);
    if (next < this.#armedFor) this.#arm(next);
  }
}
