/**
 * At most so many calls at once, and at most so many waiting. Who waits leaves when its signal says so; who finds
 * the queue full is turned away at once, since an answer that comes too late costs as much and helps nobody.
 */

export class GateFull extends Error {}

export class CallGate {
  readonly #most: number;
  readonly #mostWaiting: number;
  readonly #waiting = new Set<() => void>();
  #active = 0;

  constructor(most: number, mostWaiting: number) {
    this.#most = most;
    this.#mostWaiting = mostWaiting;
  }

  get active(): number {
    return this.#active;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Runs `call` when there is room, in the order of asking.
   * @throws {GateFull} at once when too many wait; the reason of `signal` when it is aborted while waiting
   */
  async run<Value>(signal: AbortSignal, call: () => Promise<Value>): Promise<Value> {
    await this.#enter(signal);
    try {
      return await call();
    } finally {
      this.#leave();
    }
  }

  async #enter(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#active < this.#most) {
      this.#active++;
      return;
    }
    if (this.#waiting.size >= this.#mostWaiting) throw new GateFull(`${this.#mostWaiting} calls are waiting`);
    await new Promise<void>((resolve, reject) => {
      const admit = (): void => {
        signal.removeEventListener('abort', giveUp);
        resolve();
      };
      const giveUp = (): void => {
        this.#waiting.delete(admit);
        reject(signal.reason);
      };
      this.#waiting.add(admit);
      signal.addEventListener('abort', giveUp, { once: true });
    });
  }

  /** The place goes straight to the next in line, so nobody who comes now can overtake. */
  #leave(): void {
    const next = this.#waiting.values().next();
    if (next.done) this.#active--;
    else {
      this.#waiting.delete(next.value);
      next.value();
    }
  }
}
