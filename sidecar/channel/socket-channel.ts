/**
 * A TCP or TLS socket as a channel. What belongs to one unit leaves in one system call: pieces that are announced
 * to go on are gathered until the last one or the end of the turn. It reads nothing before it has a receiver, and
 * nothing of what it carries.
 */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { Refusal } from '../../shared/errors/refusal.ts';
import type { Channel, ChannelReceiver, HeadBytes } from './channel.ts';
import { type Flushable, flushAtEndOfTurn } from './end-of-turn.ts';
import { HeldReads } from './held-reads.ts';
import { NOBODY } from './nobody.ts';
import { resetSocket } from './reset-socket.ts';
import { giveSlabBack, SLAB_BYTES, takeSlab } from './write-slabs.ts';

/**
 * Bytes that may wait in a socket before its writer is told to stop. `write` of a stream also says no when all has
 * already left, so that its length is what counts.
 */
const MOST_QUEUED = 128 * 1024;

/** A body up to this is copied behind its head: cheaper than handing two to the kernel. */
const MOST_JOINED = 16 * 1024;

/** What one record of TLS holds (RFC 8446 §5.1): after a full one, another one is likely to be there already. */
const FULL_RECORD = 16 * 1024;

export class SocketChannel implements Channel, Flushable {
  readonly lends: boolean;
  bytesRead = 0;
  bytesWritten = 0;
  /** As told here: a socket that has ended does not say. */
  isPaused = false;
  readonly #socket: Socket;
  readonly #isTls: boolean;
  #receiver: ChannelReceiver = NOBODY;
  #isStarted = false;
  /** Is flushed at the end of this turn. */
  #isDue = false;
  /** [0, #gathered) of it waits to be written as one. */
  #slab: Buffer | undefined;
  #gathered = 0;
  #isEnded = false;
  #isClosed = false;
  /** The receiver was told to stop writing. */
  #isFull = false;
  #sawEnd = false;
  /** Came while nobody wanted it. */
  #held: HeldReads | undefined;
  /** The socket is closed, which is told behind what is held. */
  #isCloseHeld = false;
  #aborted: Refusal | undefined;
  #error: NodeJS.ErrnoException | undefined;

  /** @param lends only of sockets that lending-channels has prepared */
  constructor(socket: Socket, lends = false) {
    this.#socket = socket;
    this.#isTls = socket instanceof TLSSocket;
    this.lends = lends;
    // TCP and TLS end their directions one by one.
    socket.allowHalfOpen = true;
    socket.on('error', this.#onError).on('end', this.#onEnd).on('drain', this.#onDrain).on('close', this.#onClose);
    if (socket.readableEnded) this.#onEnd();
  }

  get receiver(): ChannelReceiver {
    return this.#receiver;
  }

  set receiver(receiver: ChannelReceiver) {
    this.#receiver = receiver;
    if (this.#isStarted) return;
    this.#isStarted = true;
    if (!this.lends) this.#socket.on('data', (bytes: Buffer) => this.take(bytes));
    this.#socket.resume();
    if (this.#held) queueMicrotask(this.#deliverHeld);
  }

  get isEnded(): boolean {
    return this.#isEnded || this.#socket.destroyed;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get queued(): number {
    return this.#socket.writableLength + this.#gathered;
  }

  write(bytes: Buffer, lent: boolean, more = false): boolean {
    if (this.isEnded) return true;
    const { length } = bytes;
    this.bytesWritten += length;
    const isCopied = this.#slab !== undefined || more || (lent && this.#keeps());
    if (isCopied && length <= SLAB_BYTES) {
      const at = this.#reserve(length);
      bytes.copy(this.#slab!, at);
    } else {
      this.#send();
      this.#socket.write(lent && this.#keeps() ? Buffer.from(bytes) : bytes);
    }
    return this.#wrote(more);
  }

  writeHead(head: HeadBytes, body: Buffer, from: number, to: number, lent: boolean, more = false): boolean {
    if (this.isEnded) return true;
    const size = to - from;
    const whole = head.length + size;
    this.bytesWritten += whole;
    const isCopied = this.#slab !== undefined || more || lent || size <= MOST_JOINED;
    if (isCopied && whole <= SLAB_BYTES) {
      const at = this.#reserve(whole);
      const slab = this.#slab!;
      head.buffer.copy(slab, at, 0, head.length);
      if (size > 0) body.copy(slab, at + head.length, from, to);
    } else {
      this.#send();
      this.#writeApart(head, body.subarray(from, to), lent);
    }
    return this.#wrote(more);
  }

  pause(): void {
    this.isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.isPaused = false;
    this.#socket.resume();
    if (this.#held) queueMicrotask(this.#deliverHeld);
  }

  end(): void {
    if (this.isEnded) return;
    this.#isEnded = true;
    this.#send();
    this.#socket.end();
  }

  abort(why: Refusal): void {
    if (this.#isClosed) return;
    this.#aborted ??= why;
    if (this.#isCloseHeld) return void queueMicrotask(() => this.#close());
    // When the end has been sent already, the other side has it: a reset would only take away what it still reads.
    if (this.#socket.writableFinished) this.#socket.destroy();
    else resetSocket(this.#socket);
  }

  /** The end of the turn: what waits for the rest of its unit has waited long enough. */
  flush(): void {
    this.#isDue = false;
    this.#send();
  }

  /** What has been read, valid during this call. */
  take(bytes: Buffer): void {
    if (this.#aborted) return;
    this.bytesRead += bytes.length;
    if (this.#held || !this.#wantsMore) this.#hold().hold(bytes);
    else this.#receiver.onBytes(bytes, this.#isTls && bytes.length === FULL_RECORD);
  }

  readonly #onEnd = (): void => {
    this.#sawEnd = true;
    if (this.#held || !this.#wantsMore) this.#hold().holdEnd();
    else this.#receiver.onEnd();
  };

  get #wantsMore(): boolean {
    return this.#isStarted && !this.isPaused && !this.#aborted && !this.#isClosed;
  }

  #hold(): HeldReads {
    this.#held ??= new HeldReads();
    return this.#held;
  }

  readonly #deliverHeld = (): void => {
    if (!this.#held?.deliver(this.#receiver, () => this.#wantsMore)) return;
    this.#held = undefined;
    if (this.#isCloseHeld) this.#close();
  };

  readonly #onDrain = (): void => {
    if (!this.#isFull || this.#aborted) return;
    this.#isFull = false;
    this.#receiver.onDrain();
  };

  /** Every error of a socket is followed by its `close`. */
  readonly #onError = (error: NodeJS.ErrnoException): void => {
    this.#error ??= error;
  };

  readonly #onClose = (): void => {
    this.#send();
    // What came before the close is told before it, when it is wanted. A failure has told all that matters.
    if (this.#held && !this.#aborted && !this.#error) this.#isCloseHeld = true;
    else this.#close();
  };

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#held = undefined;
    this.#receiver.onClose(this.#failure());
  }

  #failure(): Refusal | undefined {
    if (this.#aborted) return this.#aborted;
    if (this.#sawEnd && this.#socket.writableFinished && !this.#error) return undefined;
    const { code, message } = this.#error ?? { code: 'closed', message: '' };
    return new Refusal('connection_broken', code ?? message);
  }

  /** TLS encrypts at once what nothing waits before; everything else keeps the buffer that it is given for a while. */
  #keeps(): boolean {
    return !this.#isTls || this.#socket.writableLength > 0 || this.#socket.connecting;
  }

  /** Room in `#slab` behind what is gathered. @returns where */
  #reserve(bytes: number): number {
    if (this.#gathered + bytes > SLAB_BYTES) this.#send();
    this.#slab ??= takeSlab();
    const at = this.#gathered;
    this.#gathered = at + bytes;
    return at;
  }

  /** Writes what was gathered as one. */
  #send(): void {
    const slab = this.#slab;
    if (slab === undefined) return;
    const bytes = slab.subarray(0, this.#gathered);
    this.#slab = undefined;
    this.#gathered = 0;
    const socket = this.#socket;
    if (socket.destroyed) return void giveSlabBack(slab);
    // A slow socket holds only as much as it has to send.
    const isSlow = socket.writableLength > 0;
    const isFreed = isSlow || !this.#keeps();
    socket.write(isSlow ? Buffer.from(bytes) : bytes);
    // Nothing waits: the system has taken it all.
    if (isFreed || socket.writableLength === 0) giveSlabBack(slab);
  }

  #writeApart(head: HeadBytes, body: Buffer, lent: boolean): void {
    const socket = this.#socket;
    socket.cork();
    socket.write(Buffer.from(head.buffer.subarray(0, head.length)));
    if (body.length > 0) socket.write(lent ? Buffer.from(body) : body);
    socket.uncork();
  }

  /** @returns whether there is room for more */
  #wrote(more: boolean): boolean {
    if (!more) this.#send();
    else if (this.#slab !== undefined && !this.#isDue) {
      this.#isDue = true;
      flushAtEndOfTurn(this);
    }
    return this.#hasRoom();
  }

  #hasRoom(): boolean {
    if (this.#socket.writableLength <= MOST_QUEUED) return true;
    this.#isFull = true;
    return false;
  }
}
