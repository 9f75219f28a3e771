/**
 * The calls to the API server behind TokenReview: how many at once, how long, and when not at all. It honours
 * Retry-After, asks once more when a connection had died under the question, and turns every way of not getting
 * an answer into token_review_unavailable. It remembers no token and no answer.
 */
import type { Clock, Randomness } from '../../shared/clock/clock.ts';
import { Refusal } from '../../shared/errors/refusal.ts';
import { type KubernetesAnswer, type KubernetesApi, KubernetesUnavailable } from '../kubernetes/client.ts';
import { CallGate, GateFull } from './call-gate.ts';
import { Circuit } from './circuit.ts';
import { isTokenReview, type ReviewedPod, readReview } from './review-answer.ts';

export type ReviewOutcome = 'accepted' | 'refused' | 'unavailable' | 'not_asked';

/** For metrics. */
export interface ReviewObserver {
  /** @param seconds from the question to the outcome, waiting included */
  reviewed(outcome: ReviewOutcome, seconds: number): void;
  /** Called when either number changed. */
  queue?(active: number, waiting: number): void;
}

export interface ReviewCallsOptions {
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly api: KubernetesApi;
  readonly timeoutMs?: number;
  readonly concurrency?: number;
  readonly mostWaiting?: number;
  readonly observer?: ReviewObserver;
}

const PATH = '/apis/authentication.k8s.io/v1/tokenreviews';
/** A server that is too busy and does not say for how long: milliseconds. */
const DEFAULT_HOLD_MS = 1000;

/** The API server was asked and has not told. */
class NoAnswer extends Error {}

/** The API server was not asked: the circuit is open. */
class NotAsked extends Error {
  constructor() {
    super('the API server is left alone for a while, after failures or by its own wish');
  }
}

export class ReviewCalls {
  readonly #options: ReviewCallsOptions;
  readonly #audience: string;
  readonly #gate: CallGate;
  readonly #circuit: Circuit;
  readonly #timeoutMs: number;

  constructor(options: ReviewCallsOptions, audience: string) {
    const { clock, randomness, concurrency = 50, mostWaiting = 500, timeoutMs = 5000 } = options;
    this.#options = options;
    this.#audience = audience;
    this.#timeoutMs = timeoutMs;
    this.#gate = new CallGate(concurrency, mostWaiting);
    this.#circuit = new Circuit(clock, randomness);
  }

  /** @throws {Refusal} token_*; token_review_unavailable when there is no answer */
  async review(token: string): Promise<ReviewedPod> {
    const { clock, observer } = this.#options;
    const startedAt = clock.monotonic();
    const report = (outcome: ReviewOutcome): void =>
      observer?.reviewed(outcome, (clock.monotonic() - startedAt) / 1000);
    try {
      const reviewed = await this.#withinTime(token);
      report('accepted');
      return reviewed;
    } catch (error) {
      const refusal = this.#asRefusal(error);
      report(outcomeOf(error, refusal));
      throw refusal;
    } finally {
      observer?.queue?.(this.#gate.active, this.#gate.waiting);
    }
  }

  async #withinTime(token: string): Promise<ReviewedPod> {
    const { clock, observer } = this.#options;
    const ended = new AbortController();
    using _deadline = clock.after(this.#timeoutMs, () =>
      ended.abort(new NoAnswer(`no answer within ${this.#timeoutMs} ms`)),
    );
    this.#refuseWhileOpen();
    const outcome = this.#gate.run(ended.signal, async () => {
      // Asked again: what happened while this call waited in line counts.
      if (!this.#circuit.tryEnter()) throw new NotAsked();
      return await this.#ask(token, ended.signal);
    });
    observer?.queue?.(this.#gate.active, this.#gate.waiting);
    return await outcome;
  }

  #refuseWhileOpen(): void {
    if (this.#circuit.waitMs() > 0) throw new NotAsked();
  }

  async #ask(token: string, signal: AbortSignal): Promise<ReviewedPod> {
    let answer: KubernetesAnswer;
    try {
      answer = await this.#post(token, signal);
    } catch (error) {
      this.#circuit.failed();
      throw error;
    }
    return this.#read(answer);
  }

  async #post(token: string, signal: AbortSignal): Promise<KubernetesAnswer> {
    const question = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      // Without audiences the API server would accept tokens meant for itself: any pod's, everywhere.
      spec: { token, audiences: [this.#audience] },
    };
    try {
      return await this.#options.api.request('POST', PATH, question, signal);
    } catch (error) {
      const died = error instanceof KubernetesUnavailable && error.reason === 'unreachable';
      if (!died || signal.aborted) throw error;
      // A kept connection that the server closed looks the same as a server that is gone; a review changes nothing.
      return await this.#options.api.request('POST', PATH, question, signal);
    }
  }

  #read({ status, body, retryAfterMs }: KubernetesAnswer): ReviewedPod {
    if (status === 429 || status === 503) {
      const holdMs = retryAfterMs ?? DEFAULT_HOLD_MS;
      if (status === 503) this.#circuit.failed();
      // Too many requests is an answer of a healthy server: it opens nothing beyond the time it names.
      else this.#circuit.succeeded();
      this.#circuit.holdFor(holdMs);
      throw new NoAnswer(`the API server answered ${status}`);
    }
    if (status !== 200 && status !== 201) {
      this.#circuit.failed();
      throw new NoAnswer(problemOf(status));
    }
    if (!isTokenReview(body)) {
      this.#circuit.failed();
      throw new NoAnswer('the answer is not a TokenReview');
    }
    this.#circuit.succeeded();
    return readReview(body, this.#audience);
  }

  #asRefusal(error: unknown): Refusal {
    if (error instanceof Refusal) return error;
    const retryAfterSeconds = Math.max(1, Math.ceil(this.#circuit.waitMs() / 1000));
    const detail = error instanceof Error ? error.message : String(error);
    return new Refusal('token_review_unavailable', { detail, retryAfterSeconds, cause: error });
  }
}

function outcomeOf(error: unknown, refusal: Refusal): ReviewOutcome {
  if (error instanceof NotAsked || error instanceof GateFull) return 'not_asked';
  return refusal.code === 'token_review_unavailable' ? 'unavailable' : 'refused';
}

function problemOf(status: number): string {
  if (status === 401) return 'the API server does not accept the token of citadel itself (401)';
  if (status === 403) return 'citadel may not create tokenreviews (403): check its ClusterRoleBinding';
  return `the API server answered ${status}`;
}
