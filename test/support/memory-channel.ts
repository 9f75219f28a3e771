/**
 * Both ends of a byte stream in memory, for what is written against channels: what sockets do seldom (lend their
 * buffers, deliver byte by byte, run full, break) happens here on demand. Nothing is delivered during a write.
 */
import { Refusal } from '../../shared/errors/refusal.ts';
import type { Channel, ChannelReceiver, HeadBytes } from '../../sidecar/channel/channel.ts';
import { NOBODY } from '../../sidecar/channel/nobody.ts';

export interface MemoryChannelOptions {
  /** Buffers are the channel's, and are scribbled over after every delivery. */
  readonly lends?: boolean;
  /** Most bytes of one delivery. */
  readonly pieces?: number;
  /** Bytes that may wait on the way before the writer is told to stop. */
  readonly room?: number;
}

export class MemoryChannel implements Channel {
  readonly lends: boolean;
  bytesRead = 0;
  bytesWritten = 0;
  isPaused = false;
  isEnded = false;
  isClosed = false;
  #receiver: ChannelReceiver = NOBODY;
  readonly #options: MemoryChannelOptions;
  #other!: MemoryChannel;
  /** On the way to this end. */
  #coming: Buffer[] = [];
  #endComes = false;
  #endTold = false;
  #isFull = false;
  #isStarted = false;
  #failure: Refusal | undefined;

  constructor(options: MemoryChannelOptions) {
    this.#options = options;
    this.lends = options.lends ?? false;
  }

  /** Two ends; what is written to one is delivered by the other. */
  static pair(one: MemoryChannelOptions = {}, other: MemoryChannelOptions = {}): [MemoryChannel, MemoryChannel] {
    const ends: [MemoryChannel, MemoryChannel] = [new MemoryChannel(one), new MemoryChannel(other)];
    ends[0].#other = ends[1];
    ends[1].#other = ends[0];
    return ends;
  }

  get receiver(): ChannelReceiver {
    return this.#receiver;
  }

  set receiver(receiver: ChannelReceiver) {
    this.#receiver = receiver;
    this.#isStarted = true;
    this.#wake();
  }

  /** Bytes that wait on the way to the other end. */
  get queued(): number {
    return this.#other.waiting;
  }

  get waiting(): number {
    return this.#coming.reduce((sum, { length }) => sum + length, 0);
  }

  write(bytes: Buffer, lent: boolean): boolean {
    if (this.isEnded || bytes.length === 0) return true;
    this.bytesWritten += bytes.length;
    // What is not lent is kept as it is: whoever says so of a lent buffer is found out.
    this.#other.#coming.push(lent ? Buffer.from(bytes) : bytes);
    this.#other.#wake();
    this.#isFull = this.queued > (this.#options.room ?? 65_536);
    return !this.#isFull;
  }

  writeHead(head: HeadBytes, body: Buffer, from: number, to: number, lent: boolean): boolean {
    const whole = Buffer.from(head.buffer.subarray(0, head.length));
    const room = this.write(whole, false);
    return from === to ? room : this.write(body.subarray(from, to), lent);
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    this.#wake();
  }

  end(): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.#other.#endComes = true;
    this.#other.#wake();
  }

  abort(why: Refusal): void {
    if (this.isClosed) return;
    this.#close(why);
    this.#other.#close(new Refusal('connection_broken', 'reset'));
  }

  #close(failure: Refusal | undefined): void {
    if (this.isClosed || this.#failure) return;
    this.#failure = failure;
    this.isEnded = true;
    this.#coming = [];
    setImmediate(() => {
      this.isClosed = true;
      this.#receiver.onClose(failure);
    });
  }

  #wake(): void {
    setImmediate(() => this.#deliver());
  }

  #deliver(): void {
    if (!this.#isStarted || this.isPaused || this.#failure || this.isClosed) return;
    const next = this.#coming.shift();
    if (next) this.#deliverPart(next);
    else if (this.#endComes && !this.#endTold) {
      this.#endTold = true;
      this.#receiver.onEnd();
      this.#closeWhenOver();
      this.#other.#closeWhenOver();
    }
  }

  #deliverPart(next: Buffer): void {
    const { pieces = next.length } = this.#options;
    if (next.length > pieces) this.#coming.unshift(next.subarray(pieces));
    const part = next.subarray(0, pieces);
    this.bytesRead += part.length;
    this.#wake();
    const delivered = this.lends ? Buffer.from(part) : part;
    this.#receiver.onBytes(delivered, false);
    if (this.lends) delivered.fill(0x21);
    this.#other.#tellRoom();
  }

  #tellRoom(): void {
    if (!this.#isFull || this.queued > 0) return;
    this.#isFull = false;
    setImmediate(() => {
      if (!this.#failure && !this.isClosed) this.#receiver.onDrain();
    });
  }

  #closeWhenOver(): void {
    if (this.#endTold && this.#other.#endTold) this.#close(undefined);
  }
}

/** Everything that one end receives, as text. */
export class Recorder implements ChannelReceiver {
  readonly channel: MemoryChannel;
  text = '';
  ended = false;
  /** Undefined while it is open. */
  closed: { readonly failure: Refusal | undefined } | undefined;

  constructor(channel: MemoryChannel) {
    this.channel = channel;
    channel.receiver = this;
  }

  send(text: string): this {
    this.channel.write(Buffer.from(text, 'latin1'), false);
    return this;
  }

  onBytes(bytes: Buffer): void {
    this.text += bytes.toString('latin1');
  }

  onEnd(): void {
    this.ended = true;
  }

  onDrain(): void {}

  onClose(failure: Refusal | undefined): void {
    this.closed = { failure };
  }
}
