/**
 * A channel for code that knows only streams. It costs what channels were made to save, so nothing that is carried
 * often passes through it. Strings are latin1, as heads are.
 */
import { Duplex } from 'node:stream';
import { Refusal } from '../../shared/errors/refusal.ts';
import type { Channel, ChannelReceiver } from './channel.ts';

export class ChannelDuplex extends Duplex implements ChannelReceiver {
  readonly channel: Channel;
  /** What only sockets have, and streams are asked for all the same. */
  readonly setTimeout = (): this => this;
  readonly setNoDelay = (): this => this;
  readonly setKeepAlive = (): this => this;
  #room: (() => void) | undefined;

  constructor(channel: Channel) {
    // It is destroyed when the channel is closed, not before: what was written last may still be on its way.
    super({ allowHalfOpen: true, autoDestroy: false, defaultEncoding: 'latin1' });
    this.channel = channel;
    channel.receiver = this;
  }

  onBytes(bytes: Buffer): void {
    if (!this.push(this.channel.lends ? Buffer.from(bytes) : bytes)) this.channel.pause();
  }

  onEnd(): void {
    this.push(null);
  }

  onDrain(): void {
    const room = this.#room;
    this.#room = undefined;
    room?.();
  }

  onClose(failure: Refusal | undefined): void {
    // In order: what has come may still have to be read.
    if (failure || this.readableEnded) this.destroy(failure);
    else this.once('end', () => this.destroy());
  }

  override _read(): void {
    if (this.channel.isPaused) this.channel.resume();
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.channel.write(bytes, false)) done();
    else this.#room = done;
  }

  override _final(done: () => void): void {
    this.channel.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (!this.channel.isClosed)
      this.channel.abort(error instanceof Refusal ? error : new Refusal('connection_broken', 'given up'));
    done(error);
  }
}
