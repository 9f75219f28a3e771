/** How long nothing has moved, as seen by who looks now and then: whoever moves only leaves a mark and asks no clock. */
export class Movement {
  #hasMoved = false;
  #since = 0;

  begin(now: number): void {
    this.#since = now;
    this.#hasMoved = false;
  }

  mark(): void {
    this.#hasMoved = true;
  }

  /** @returns milliseconds since the last look that had seen a mark */
  idleMs(now: number): number {
    if (this.#hasMoved) this.begin(now);
    return now - this.#since;
  }
}
