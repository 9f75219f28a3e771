/**
 * How many requests are worked on at once, and for how long. A request takes its place only when its body is
 * there, so slow senders hold none; beyond the limit a caller is sent away at once, because waiting would only
 * pile up. Work is told to stop when its time is over or its caller has gone.
 */
import type { ServerResponse } from 'node:http';
import type { Clock } from '../../shared/clock/clock.ts';
import { Refusal } from '../../shared/errors/refusal.ts';

export interface AdmissionLimits {
  readonly concurrent: number;
  /** Milliseconds for one answer. */
  readonly answerMs: number;
}

const COME_BACK_SECONDS = 1;

export class Admission {
  readonly #clock: Clock;
  readonly #limits: AdmissionLimits;
  #inFlight = 0;

  constructor(clock: Clock, limits: AdmissionLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** @throws {Refusal} overloaded when there is no place or no time left, caller_gone, and whatever the work throws */
  async during<Result>(response: ServerResponse, work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
    if (this.#inFlight >= this.#limits.concurrent) throw overloaded(`${this.#inFlight} requests in flight`);
    this.#inFlight++;
    const controller = new AbortController();
    const timer = this.#clock.after(this.#limits.answerMs, () =>
      controller.abort(overloaded(`no answer after ${this.#limits.answerMs} ms`)),
    );
    const gone = (): void => controller.abort(new Refusal('caller_gone', 'while the answer was made'));
    response.once('close', gone);
    try {
      return await work(controller.signal);
    } finally {
      this.#inFlight--;
      timer.cancel();
      response.off('close', gone);
    }
  }
}

function overloaded(detail: string): Refusal {
  return new Refusal('overloaded', { detail, retryAfterSeconds: COME_BACK_SECONDS });
}
