/**
 * One direction of a link: each packet is lost by chance or delivered after a delay, in order. Which packets are
 * lost follows from the seed, so that a failed run can be had again. It knows no network.
 */
import type { Clock } from '../../shared/clock/clock.ts';

export interface LinkConditions {
  /** One way, milliseconds. */
  readonly delayMs: number;
  /** 0 to 100; 100 is a link that is down. */
  readonly lossPercent: number;
}

export class LossyQueue {
  conditions: LinkConditions = { delayMs: 0, lossPercent: 0 };
  carried = 0;
  lost = 0;
  readonly #clock: Pick<Clock, 'monotonic' | 'after'>;
  readonly #deliver: (packet: Buffer) => void;
  readonly #chance: () => number;
  readonly #waiting: { readonly dueMs: number; readonly packet: Buffer }[] = [];
  #isTimed = false;

  constructor(clock: Pick<Clock, 'monotonic' | 'after'>, seed: number, deliver: (packet: Buffer) => void) {
    this.#clock = clock;
    this.#deliver = deliver;
    this.#chance = seeded(seed);
  }

  /** @param packet the queue's from now on */
  push(packet: Buffer): void {
    if (this.#chance() * 100 < this.conditions.lossPercent) {
      this.lost++;
      return;
    }
    // A delay that was shortened on the way must not let a packet overtake those before it.
    const before = this.#waiting.at(-1)?.dueMs ?? 0;
    this.#waiting.push({ dueMs: Math.max(before, this.#clock.monotonic() + this.conditions.delayMs), packet });
    this.#work();
  }

  #work(): void {
    while (this.#waiting.length > 0 && this.#waiting[0]!.dueMs <= this.#clock.monotonic()) {
      this.carried++;
      this.#deliver(this.#waiting.shift()!.packet);
    }
    const next = this.#waiting[0];
    if (!next || this.#isTimed) return;
    this.#isTimed = true;
    this.#clock.after(Math.max(1, next.dueMs - this.#clock.monotonic()), () => {
      this.#isTimed = false;
      this.#work();
    });
  }
}

/** Numbers in [0, 1), always the same for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
