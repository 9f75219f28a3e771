/**
 * What goes out on the socket of a session: small things are copied into one slab, large ones put in line, and all of
 * it is written once per turn of the event loop. It knows bytes, not frames, and drops nothing but what comes after
 * the end.
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

const SLAB_BYTES = 65_536 + 64;
/** Written before the turn is over: more would only wait. */
const FLUSH_BYTES = 131_072;
/** Slabs that are kept for reuse by all sessions (2 MiB). */
const MOST_SPARE = 32;
const spare: Buffer[] = [];

export class Output {
  /** Where `reserve` made room. Changes with it. */
  slab: Buffer = newSlab();
  isBlocked = false;
  readonly #socket: Duplex;
  readonly #limits: OutputLimits;
  readonly #events: OutputEvents;
  /** [#start, #used) of the slab is not in line yet; what is before it belongs to writes. */
  #start = 0;
  #used = 0;
  #line: Buffer[] = [];
  #lineBytes = 0;
  /** Full slabs with bytes in line: free when the write that ends with them is done. */
  #retired: Buffer[] = [];
  #writing = 0;
  #isScheduled = false;
  #isOver = false;

  constructor(socket: Duplex, limits: OutputLimits, events: OutputEvents) {
    this.#socket = socket;
    this.#limits = limits;
    this.#events = events;
  }

  /** Bytes not yet taken by the system. */
  get unsent(): number {
    return this.#socket.writableLength + this.#lineBytes + this.#used - this.#start;
  }

  /** Room for so many bytes in `slab`, which are filled in before anything else is called. @returns where */
  reserve(bytes: number): number {
    if (this.slab.length - this.#used < bytes) this.#retire(bytes);
    const at = this.#used;
    this.#used = at + bytes;
    return at;
  }

  /** The buffer must not change until it was written. */
  append(bytes: Buffer): void {
    this.#closePart();
    this.#line.push(bytes);
    this.#lineBytes += bytes.length;
  }

  /** After each unit: sees to it that it is written. */
  commit(): void {
    if (this.#lineBytes >= FLUSH_BYTES) this.flush();
    else this.schedule();
  }

  schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    // TLS hands over each record apart and runs the microtasks between: only this gathers across records.
    setImmediate(this.#flushScheduled);
  }

  flush(): void {
    if (this.#isOver) return;
    this.#closePart();
    const line = this.#line;
    if (line.length === 0) return;
    this.#line = [];
    this.#lineBytes = 0;
    const done = this.#retired.length === 0 ? this.#written : this.#freeing();
    this.#writing++;
    if (line.length === 1) {
      this.#socket.write(line[0]!, done);
    } else {
      const last = line.length - 1;
      this.#socket.cork();
      for (let at = 0; at < last; at++) this.#socket.write(line[at]!);
      this.#socket.write(line[last]!, done);
      this.#socket.uncork();
    }
    // `write` returning false says little: only what really waits counts.
    const waiting = this.#socket.writableLength;
    if (waiting > this.#limits.socketBytes) this.isBlocked = true;
    if (waiting > this.#limits.unsentBytes) this.#events.onOverflow();
  }

  /** Nothing is written any more. */
  close(): void {
    this.#isOver = true;
    this.#line = [];
    this.#retired = [];
    this.#lineBytes = this.#start = this.#used = 0;
    this.slab = NOTHING;
  }

  readonly #flushScheduled = (): void => {
    this.#isScheduled = false;
    this.flush();
  };

  readonly #written = (): void => {
    this.#writing--;
    this.#rewind();
    if (!this.isBlocked || this.#socket.writableLength > this.#limits.socketBytes / 2) return;
    this.isBlocked = false;
    if (!this.#isOver) this.#events.onRoom();
  };

  /** The slab may only begin again when none of its bytes is being written, in line, or in a retired one. */
  #rewind(): void {
    if (this.#writing === 0 && this.#start === this.#used && this.#line.length === 0 && this.#retired.length === 0) {
      this.#start = this.#used = 0;
    }
  }

  /** Writes end in their order: when this one is done, so are all before it that used these slabs. */
  #freeing(): () => void {
    const freed = this.#retired;
    this.#retired = [];
    return () => {
      for (const slab of freed) if (slab.length === SLAB_BYTES && spare.length < MOST_SPARE) spare.push(slab);
      this.#written();
    };
  }

  #closePart(): void {
    if (this.#start === this.#used) return;
    this.#line.push(this.slab.subarray(this.#start, this.#used));
    this.#lineBytes += this.#used - this.#start;
    this.#start = this.#used;
  }

  #retire(bytes: number): void {
    this.#closePart();
    this.#retired.push(this.slab);
    this.slab = bytes <= SLAB_BYTES ? newSlab() : Buffer.allocUnsafeSlow(bytes);
    this.#start = this.#used = 0;
  }
}

const NOTHING = Buffer.alloc(0);

function newSlab(): Buffer {
  return spare.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES);
}
