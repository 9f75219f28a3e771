/**
 * The pause between "not ready any more" and the end of listening. Whoever routes by readiness learns of it a moment
 * later, and connects meanwhile: a program that closed its port at once would refuse those callers.
 */
import { type Clock, pause } from '../clock/clock.ts';

export class Announcement {
  readonly #clock: Clock;
  #skipped: AbortController | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param ms milliseconds; 0: nobody is to learn of anything. Resolves when they are over or skipped */
  async hold(ms: number): Promise<void> {
    if (ms <= 0) return;
    this.#skipped = new AbortController();
    const { signal } = this.#skipped;
    try {
      await pause(this.#clock, ms, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.#skipped = undefined;
    }
  }

  /** @returns whether there was a pause to skip */
  skip(): boolean {
    const skipped = this.#skipped;
    this.#skipped = undefined;
    skipped?.abort();
    return skipped !== undefined;
  }
}
