/**
 * One CONNECT stream as a channel of bytes (RFC 9113 §8.5): DATA is the bytes, END_STREAM the end of a direction,
 * RST_STREAM a broken connection. It pushes what it receives and holds only what its receiver does not want yet.
 */
import { Refusal } from '../../shared/errors/refusal.ts';
import type { Channel, ChannelReceiver, HeadBytes } from '../channel/channel.ts';
import { ByteQueue } from './byte-queue.ts';
import { H2, nameOfCode } from './error-codes.ts';
import type { Sender } from './outflow.ts';
import type { ReceiveWindow } from './receive-window.ts';
import type { Session } from './session.ts';
import type { SessionCore } from './session-core.ts';

export class TunnelStream implements Channel, Sender {
  readonly id: number;
  readonly lends = true;
  bytesRead = 0;
  bytesWritten = 0;
  queued = 0;
  isPaused = false;
  isEnded = false;
  isClosed = false;
  sendWindow: number;
  isInLine = false;
  /** The peer answered 2xx, or we did: DATA may come. */
  isConnected = false;
  /** Told of its end while it has no receiver. */
  onGone: ((why: Refusal | undefined) => void) | undefined;
  readonly #core: SessionCore;
  readonly #window: ReceiveWindow;
  #receiver: ChannelReceiver | undefined;
  #queue: ByteQueue | undefined;
  #wantsDrain = false;
  /** Received while paused or without a receiver. */
  #held: ByteQueue | undefined;
  /** Delivered in calls that paused: not taken before `resume`. */
  #withheld = 0;
  #sentEnd = false;
  #gotEnd = false;
  #toldEnd = false;
  #toldClose = false;
  /** Both directions have ended: nothing of it is on the wire any more, though bytes may still be held. */
  #isOver = false;
  #isWaking = false;
  #failure: Refusal | undefined;

  constructor(core: SessionCore, id: number, sendWindow: number, window: ReceiveWindow) {
    this.#core = core;
    this.id = id;
    this.sendWindow = sendWindow;
    this.#window = window;
  }

  get session(): Session {
    return this.#core.session;
  }

  get receiver(): ChannelReceiver {
    return this.#receiver!;
  }

  set receiver(receiver: ChannelReceiver) {
    this.#receiver = receiver;
    this.onGone = undefined;
    if (this.#held || this.#gotEnd || this.isClosed) this.#wake();
  }

  write(bytes: Buffer, lent: boolean): boolean {
    if (this.isEnded || bytes.length === 0) return true;
    this.bytesWritten += bytes.length;
    if (this.queued === 0 && this.#core.outflow.send(this, bytes)) return true;
    return this.#enqueue(bytes, lent);
  }

  writeHead(head: HeadBytes, body: Buffer, from: number, to: number, lent: boolean): boolean {
    if (this.isEnded) return true;
    this.bytesWritten += head.length + to - from;
    if (this.queued === 0 && this.#core.outflow.sendHead(this, head, body, from, to)) return true;
    const hasRoom = this.#enqueue(head.buffer.subarray(0, head.length), true);
    return to > from && !this.isEnded ? this.#enqueue(body.subarray(from, to), lent) : hasRoom;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    if (this.isClosed) return;
    if (this.#withheld > 0) {
      this.#core.inflow.letGo(this.#withheld);
      this.#withheld = 0;
      this.#credit();
    }
    if (this.#held || (this.#gotEnd && !this.#toldEnd)) this.#wake();
  }

  end(): void {
    if (this.isEnded) return;
    this.isEnded = true;
    if (this.queued === 0) this.#sendEnd();
  }

  abort(why: Refusal): void {
    if (this.isClosed) return;
    // RFC 9113 §8.5: a failed TCP connection of the proxy is CONNECT_ERROR; §7: CANCEL is a stream no longer wanted.
    if (!this.#isOver)
      this.#core.writer.resetStream(this.id, this.#core.role === 'server' ? H2.CONNECT_ERROR : H2.CANCEL);
    this.#close(why);
    this.#wake();
  }

  // From here on: for the session.

  /** RFC 9113 §8.1: after END_STREAM nothing may come. */
  get gotEnd(): boolean {
    return this.#gotEnd;
  }

  get window(): ReceiveWindow {
    return this.#window;
  }

  takeBytes(bytes: Buffer, more: boolean): void {
    const { length } = bytes;
    this.bytesRead += length;
    const receiver = this.#receiver;
    if (this.isPaused || this.#held !== undefined || receiver === undefined) return void this.#hold(bytes);
    receiver.onBytes(bytes, more);
    if (this.isClosed) return;
    if (this.isPaused) this.#withhold(length);
    this.#credit();
  }

  takeEnd(): void {
    this.#gotEnd = true;
    if (this.#sentEnd) this.#finish();
    this.#settle();
  }

  takeReset(code: number): void {
    // RFC 9113 §8.1: after a whole answer, NO_ERROR only says that the rest of ours is not needed.
    if (code === H2.NO_ERROR && this.#gotEnd && this.isConnected) {
      this.#dropQueue();
      this.isEnded = this.#sentEnd = true;
      this.#finish();
      return void this.#settle();
    }
    const name = nameOfCode(code);
    if (this.isConnected) this.fail(new Refusal('tunnel_reset', name));
    // RFC 9113 §8.7: REFUSED_STREAM guarantees that nothing was done.
    else this.fail(new Refusal(code === H2.REFUSED_STREAM ? 'tunnel_unprocessed' : 'tunnel_broken', `reset: ${name}`));
  }

  /** Closes it without a word to the peer, who knows or is gone. */
  fail(why: Refusal | undefined): void {
    if (this.isClosed) return;
    this.#close(why);
    this.#settle();
  }

  takeQueued(most: number): Buffer {
    const bytes = this.#queue!.take(most);
    this.queued -= bytes.length;
    this.#core.outflow.queued -= bytes.length;
    return bytes;
  }

  queueSent(): void {
    this.#queue = undefined;
    if (this.isEnded) {
      this.#sendEnd();
    } else if (this.#wantsDrain) {
      this.#wantsDrain = false;
      this.#receiver?.onDrain();
    }
  }

  #enqueue(bytes: Buffer, lent: boolean): boolean {
    const { outflow, limits } = this.#core;
    if (this.queued > limits.queuedBytesPerStream || outflow.queued > limits.queuedBytesPerSession) {
      this.abort(new Refusal('tunnel_overflow', `${this.queued} bytes wait in the stream, ${outflow.queued} in all`));
      return false;
    }
    this.#queue ??= new ByteQueue();
    this.#queue.push(bytes, lent);
    this.queued += bytes.length;
    outflow.queued += bytes.length;
    outflow.enqueue(this);
    outflow.takeTurns();
    if (this.queued === 0) return true;
    this.#wantsDrain = true;
    return false;
  }

  #sendEnd(): void {
    this.#sentEnd = true;
    this.#core.writer.endStream(this.id);
    if (!this.#gotEnd) return;
    this.#finish();
    this.#wake();
  }

  #hold(bytes: Buffer): void {
    this.#held ??= new ByteQueue();
    this.#held.push(bytes, true);
    this.#core.inflow.hold(bytes.length);
  }

  #withhold(bytes: number): void {
    this.#withheld += bytes;
    this.#core.inflow.hold(bytes);
  }

  get #untaken(): number {
    return this.#withheld + (this.#held?.length ?? 0);
  }

  /** No credit for a direction that has ended. */
  #credit(): void {
    const untaken = this.#untaken;
    if (this.#gotEnd || !this.#window.isCreditDue(untaken)) return;
    this.#core.credit(this, untaken);
  }

  /** Delivers later: whoever calls us now is not ready to be called. */
  #wake(): void {
    if (this.#isWaking) return;
    this.#isWaking = true;
    queueMicrotask(() => {
      this.#isWaking = false;
      this.#settle();
    });
  }

  /** Delivers everything that may be delivered now, in this order: bytes, the end, the close. */
  #settle(): void {
    const receiver = this.#receiver;
    if (receiver !== undefined && !this.isClosed) this.#deliver(receiver);
    if (this.#isOver && this.#toldEnd && !this.isClosed) this.#close(undefined);
    if (!this.isClosed || this.#toldClose) return;
    if (receiver !== undefined) {
      this.#toldClose = true;
      receiver.onClose(this.#failure);
    } else {
      const { onGone } = this;
      this.onGone = undefined;
      onGone?.(this.#failure);
    }
  }

  #deliver(receiver: ChannelReceiver): void {
    while (this.#held !== undefined && !this.isPaused && !this.isClosed) {
      const bytes = this.#held.take(Number.POSITIVE_INFINITY);
      if (this.#held.length === 0) this.#held = undefined;
      this.#core.inflow.letGo(bytes.length);
      receiver.onBytes(bytes, this.#held !== undefined);
      if (this.isClosed) return;
      if (this.isPaused) this.#withhold(bytes.length);
      this.#credit();
    }
    if (!this.#gotEnd || this.#toldEnd || this.isPaused || this.isClosed) return;
    this.#toldEnd = true;
    receiver.onEnd();
  }

  #finish(): void {
    this.#isOver = true;
    this.#core.release(this);
  }

  #close(failure: Refusal | undefined): void {
    this.isClosed = this.isEnded = true;
    this.#failure = failure;
    this.#dropQueue();
    const untaken = this.#untaken;
    this.#held = undefined;
    this.#withheld = 0;
    if (untaken > 0) this.#core.inflow.letGo(untaken);
    this.#core.closed(this);
  }

  #dropQueue(): void {
    this.#core.outflow.queued -= this.queued;
    this.queued = 0;
    this.#queue = undefined;
  }
}
