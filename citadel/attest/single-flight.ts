/**
 * Many callers with the same question share one answer. A caller that leaves stops waiting, but the work goes
 * on for the others and ends by its own deadline. Nothing is remembered once the answer is there.
 */

export class SingleFlight<Value> {
  readonly #flights = new Map<string, Promise<Value>>();

  get size(): number {
    return this.#flights.size;
  }

  /** @param start must end by itself: no caller's signal reaches it */
  run(key: string, signal: AbortSignal, start: () => Promise<Value>): Promise<Value> {
    let flight = this.#flights.get(key);
    if (!flight) {
      flight = start().finally(() => this.#flights.delete(key));
      this.#flights.set(key, flight);
    }
    return untilAborted(flight, signal);
  }
}

/** Settles like `promise`, or rejects with the signal's reason when that is aborted first. */
export function untilAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const leave = (): void => reject(signal.reason);
    if (signal.aborted) leave();
    else signal.addEventListener('abort', leave, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });
}
