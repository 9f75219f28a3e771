/**
 * Opens of a client that are not answered yet: first those that wait for room, in order, then those that were asked.
 * All have the same time, so the oldest is always the next to be late, and one deadline serves all.
 */
import { Refusal } from '../../shared/errors/refusal.ts';
import type { Deadlines } from './deadlines.ts';
import type { Field } from './hpack-tables.ts';
import type { TunnelStream } from './tunnel-stream.ts';

export interface Opening {
  readonly authority: string;
  readonly headers: readonly Field[];
  readonly lateAt: number;
  /** Once it was asked for. */
  stream: TunnelStream | undefined;
  resolve(stream: TunnelStream): void;
  reject(why: unknown): void;
}

export class OpeningQueue {
  readonly #deadlines: Deadlines;
  readonly #now: () => number;
  readonly #openMs: number;
  readonly #waiting = new Set<Opening>();
  readonly #asked = new Set<Opening>();
  /** Gives up what was asked already. */
  readonly #giveUp: (opening: Opening, why: unknown) => void;

  constructor(
    deadlines: Deadlines,
    now: () => number,
    openMs: number,
    giveUp: (opening: Opening, why: unknown) => void,
  ) {
    this.#deadlines = deadlines;
    this.#now = now;
    this.#openMs = openMs;
    this.#giveUp = giveUp;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  add(authority: string, headers: readonly Field[], signal: AbortSignal | undefined): Promise<TunnelStream> {
    return new Promise((resolve, reject) => {
      const leave = (): void => this.#refuse(opening, signal?.reason);
      const over = (): void => {
        this.#waiting.delete(opening);
        this.#asked.delete(opening);
        signal?.removeEventListener('abort', leave);
      };
      const opening: Opening = {
        authority,
        headers,
        lateAt: this.#now() + this.#openMs,
        stream: undefined,
        resolve: (stream) => {
          over();
          resolve(stream);
        },
        reject: (why) => {
          over();
          reject(why);
        },
      };
      this.#waiting.add(opening);
      signal?.addEventListener('abort', leave, { once: true });
      if (!this.#deadlines.has('open')) this.#watch();
    });
  }

  /** The next one to ask for, which from now on counts as asked. */
  next(): Opening | undefined {
    for (const opening of this.#waiting) {
      this.#waiting.delete(opening);
      this.#asked.add(opening);
      return opening;
    }
    return undefined;
  }

  /** Of all that wait for room. */
  refuseWaiting(why: Refusal): void {
    for (const opening of [...this.#waiting]) opening.reject(why);
  }

  #refuse(opening: Opening, why: unknown): void {
    if (opening.stream !== undefined) this.#giveUp(opening, why);
    opening.reject(why);
  }

  #watch(): void {
    const oldest = this.#oldest();
    if (oldest === undefined) return;
    this.#deadlines.set('open', oldest.lateAt - this.#now(), () => {
      const now = this.#now();
      for (let late = this.#oldest(); late !== undefined && late.lateAt <= now; late = this.#oldest()) {
        const where = late.stream === undefined ? 'no room for another stream' : 'no answer';
        this.#refuse(late, new Refusal('tunnel_open_timeout', where));
      }
      this.#watch();
    });
  }

  /** Whoever was asked came before whoever waits. */
  #oldest(): Opening | undefined {
    for (const opening of this.#asked) return opening;
    for (const opening of this.#waiting) return opening;
    return undefined;
  }
}
