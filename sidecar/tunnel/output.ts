/**
 * What goes out on the socket of a session: everything of one turn of the event loop is gathered in a slab and
 * written at once, because one write costs more than many copies, and TLS would join the parts of a write once more.
 * It knows bytes, not frames, and drops nothing but what comes after the end.
 */
import type { Duplex } from 'node:stream';

export interface OutputLimits {
  /** Bytes in the socket at which `isBlocked` asks streams to wait; they may go on below half of it. */
  readonly socketBytes: number;
  readonly unsentBytes: number;
}

export interface OutputEvents {
  /** `isBlocked` is false again. */
  onRoom(): void;
  /** More than `unsentBytes` are in the socket: the peer does not read, whatever it asks for. */
  onOverflow(): void;
}

/** Room for several of the largest frames, so that few turns need more than one write. */
const SLAB_BYTES = 256 * 1024;
/** Written before the turn is over: more would only wait. */
const FLUSH_BYTES = 128 * 1024;
/** Slabs that are kept for reuse by all sessions (8 MiB, as far as they have ever been filled). */
const MOST_SPARE = 32;
const spare: Buffer[] = [];

interface Retired {
  readonly slab: Buffer;
  /** Which write was the last of it. */
  readonly until: number;
}

export class Output {
  /** Where `reserve` made room. Changes with it. */
  slab: Buffer = NOTHING;
  isBlocked = false;
  readonly #socket: Duplex;
  readonly #limits: OutputLimits;
  readonly #events: OutputEvents;
  /** [#start, #used) of the slab is not written yet; what is before it belongs to writes. */
  #start = 0;
  #used = 0;
  /** Full slabs that writes still need. */
  #retired: Retired[] = [];
  #begun = 0;
  #done = 0;
  #isScheduled = false;
  #isOver = false;

  constructor(socket: Duplex, limits: OutputLimits, events: OutputEvents) {
    this.#socket = socket;
    this.#limits = limits;
    this.#events = events;
  }

  /** Bytes not yet taken by the system. */
  get unsent(): number {
    return this.#socket.writableLength + this.#used - this.#start;
  }

  /** Room for so many bytes in `slab`, which are filled in before anything else is called. @returns where */
  reserve(bytes: number): number {
    if (this.slab.length - this.#used < bytes) this.#replace(bytes);
    const at = this.#used;
    this.#used = at + bytes;
    return at;
  }

  /** After each unit: sees to it that it is written. */
  commit(): void {
    if (this.#used - this.#start >= FLUSH_BYTES) this.flush();
    else this.schedule();
  }

  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    // TLS hands over each record apart and runs the microtasks between: only this gathers across records.
    setImmediate(this.#flushScheduled);
  }

  flush(): void {
    if (this.#isOver || this.#start === this.#used) return;
    const part = this.slab.subarray(this.#start, this.#used);
    this.#start = this.#used;
    this.#begun++;
    this.#socket.write(part, this.#written);
    // `write` returning false says little: only what really waits counts.
    const waiting = this.#socket.writableLength;
    if (waiting > this.#limits.socketBytes) this.isBlocked = true;
    if (waiting > this.#limits.unsentBytes) this.#events.onOverflow();
  }

  /** Nothing is written any more. */
  close(): void {
    this.#isOver = true;
    this.#retired = [];
    this.#start = this.#used = 0;
    this.slab = NOTHING;
  }

  readonly #flushScheduled = (): void => {
    this.#isScheduled = false;
    this.flush();
  };

  /** Writes end in their order. */
  readonly #written = (): void => {
    this.#done++;
    if (this.#isOver) return;
    this.#free();
    if (!this.isBlocked || this.#socket.writableLength > this.#limits.socketBytes / 2) return;
    this.isBlocked = false;
    this.#events.onRoom();
  };

  #free(): void {
    while (this.#retired.length > 0 && this.#retired[0]!.until <= this.#done) release(this.#retired.shift()!.slab);
    // The slab may only be used by others when none of its bytes is being written or still to be written.
    if (this.#begun !== this.#done || this.#start !== this.#used) return;
    release(this.slab);
    this.slab = NOTHING;
    this.#start = this.#used = 0;
  }

  /** Another slab; the present one stays as it is until its last write is done. */
  #replace(bytes: number): void {
    if (this.#isOver) return void this.#pretend(bytes);
    this.flush();
    if (this.slab !== NOTHING) this.#retired.push({ slab: this.slab, until: this.#begun });
    this.slab =
      bytes <= SLAB_BYTES ? (spare.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES)) : Buffer.allocUnsafeSlow(bytes);
    this.#start = this.#used = 0;
  }

  /** What comes after the end goes nowhere. */
  #pretend(bytes: number): void {
    this.slab = Buffer.allocUnsafe(bytes);
    this.#start = this.#used = 0;
  }
}

const NOTHING = Buffer.alloc(0);

function release(slab: Buffer): void {
  if (slab.length === SLAB_BYTES && spare.length < MOST_SPARE) spare.push(slab);
}
