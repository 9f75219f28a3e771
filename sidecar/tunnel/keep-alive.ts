/**
 * Shows that the peer lives, and how far away it is (RFC 9113 §6.7): a PING every few seconds, and an end when it is
 * followed by nothing at all. Whatever arrives is a sign of life; only its own answer is a measurement.
 */
import type { Deadlines } from './deadlines.ts';
import type { SessionCore } from './session-core.ts';

const PING_BYTES = 8;
/** Weight of a new measurement. */
const SHARE = 0.25;

export class KeepAlive {
  readonly #core: SessionCore;
  readonly #deadlines: Deadlines;
  readonly #onSilence: () => void;
  readonly #payload = Buffer.alloc(PING_BYTES);
  readonly #answers = new Map<number, () => void>();
  #count = 0;
  #hasHeard = false;

  constructor(core: SessionCore, deadlines: Deadlines, onSilence: () => void) {
    this.#core = core;
    this.#deadlines = deadlines;
    this.#onSilence = onSilence;
  }

  /** The handshake is over; it took one round trip. */
  begin(roundTripMs: number): void {
    this.#core.roundTripMs = roundTripMs;
    this.#later();
  }

  /** Something has arrived. */
  heard(): void {
    this.#hasHeard = true;
  }

  ping(onAnswer: () => void): void {
    this.#count++;
    this.#payload.writeUInt32BE(this.#count, 4);
    this.#answers.set(this.#count, onAnswer);
    this.#core.writer.ping(this.#payload, 0, false);
  }

  /** @returns false for the answer to a PING that we did not send */
  answered(bytes: Buffer, from: number): boolean {
    const count = bytes.readUInt32BE(from + 4);
    const onAnswer = bytes.readUInt32BE(from) === 0 ? this.#answers.get(count) : undefined;
    this.#answers.delete(count);
    onAnswer?.();
    return onAnswer !== undefined;
  }

  #later(): void {
    this.#deadlines.set('ping', this.#core.limits.pingEveryMs, () => this.#probe());
  }

  #probe(): void {
    const { clock } = this.#core;
    const sentAt = clock.monotonic();
    this.#hasHeard = false;
    this.ping(() => {
      this.#deadlines.clear('silence');
      this.#core.roundTripMs += SHARE * (clock.monotonic() - sentAt - this.#core.roundTripMs);
      this.#later();
    });
    this.#listen();
  }

  #listen(): void {
    this.#deadlines.set('silence', this.#core.limits.pingTimeoutMs, () => {
      if (!this.#hasHeard) return this.#onSilence();
      this.#hasHeard = false;
      this.#listen();
    });
  }
}
