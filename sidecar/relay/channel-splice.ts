/**
 * Two channels whose bytes are each other's, and how the pair ends. A direction that ends is ended on the other side
 * and the opposite direction goes on; a channel that breaks breaks the other one. It ends, gently first, with the
 * identity behind it. It never looks at a byte.
 */
import { Refusal } from '../../shared/errors/refusal.ts';
import type { Channel, ChannelReceiver } from '../channel/channel.ts';
import type { IdleWatch, Watched } from './idle-watch.ts';
import { Linger } from './linger.ts';
import type { Carrier, RetirementReason } from './relay.ts';

/** Sees every byte, and changes and keeps none. */
export interface SpliceTap {
  fromClient(bytes: Buffer): void;
  fromServer(bytes: Buffer): void;
}

export interface ChannelSpliceOptions {
  /** The one who connected. */
  readonly client: Channel;
  readonly upstream: Channel;
  readonly watch: IdleWatch;
  readonly idleSeconds: number;
  /** Called now and then while bytes flow. */
  readonly flowed?: () => void;
  readonly tap?: SpliceTap | undefined;
  /**
   * Once, when both channels are closed.
   * @param clientLeft it was the client that ended it, and nothing of ours
   */
  readonly over: (why: Refusal | undefined, clientLeft: boolean) => void;
}

export class ChannelSplice implements Carrier, Watched {
  readonly #options: ChannelSpliceOptions;
  readonly #sides: readonly [Side, Side];
  #why: Refusal | undefined;
  #bytes = 0;
  #movedAt: number;
  #endWhenQuiet = false;
  #closed = 0;
  #clientLeft = false;

  constructor(options: ChannelSpliceOptions) {
    this.#options = options;
    const { client, upstream, watch, tap } = options;
    const closed = (): void => this.#onClosed();
    const clientClosed = (): void => {
      this.#clientLeft = this.#closed === 0 && this.#why === undefined;
      this.#onClosed();
    };
    this.#sides = [
      new Side(client, upstream, clientClosed, tap && ((bytes) => tap.fromClient(bytes))),
      new Side(upstream, client, closed, tap && ((bytes) => tap.fromServer(bytes))),
    ];
    this.#movedAt = watch.now();
    watch.add(this);
  }

  /** Joins the two: from now on bytes flow. */
  join(): void {
    for (const side of this.#sides) side.receive();
  }

  look(now: number): void {
    const { client, idleSeconds, flowed } = this.#options;
    const bytes = client.bytesRead + client.bytesWritten;
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#movedAt = now;
      flowed?.();
    } else if (this.#endWhenQuiet) this.#end(this.#why);
    else if (now - this.#movedAt > idleSeconds * 1000) this.#end(new Refusal('connection_idle'));
  }

  /** A stream of bytes has no end that could be asked for: only shutting down ends it before its time, at a quiet moment. */
  retire(reason: RetirementReason): void {
    if (reason === 'draining') this.#endWhenQuiet = true;
  }

  expire(): void {
    this.#why ??= new Refusal('connection_expired');
    this.#endWhenQuiet = true;
  }

  cut(why: Refusal): void {
    this.#why ??= why;
    this.#options.client.abort(why);
    this.#options.upstream.abort(why);
  }

  #end(why: Refusal | undefined): void {
    this.#why ??= why;
    const { watch, idleSeconds } = this.#options;
    watch.remove(this);
    const closed = (): void => this.#onClosed();
    for (const { channel } of this.#sides) if (!channel.isClosed) new Linger({ channel, watch, idleSeconds, closed });
  }

  #onClosed(): void {
    if (++this.#closed < 2) return;
    this.#options.watch.remove(this);
    this.#options.over(this.#why, this.#clientLeft);
  }
}

/** One channel, received for the other one. */
class Side implements ChannelReceiver {
  readonly channel: Channel;
  readonly #other: Channel;
  readonly #closed: () => void;
  readonly #seen: ((bytes: Buffer) => void) | undefined;

  constructor(channel: Channel, other: Channel, closed: () => void, seen: ((bytes: Buffer) => void) | undefined) {
    this.channel = channel;
    this.#other = other;
    this.#closed = closed;
    this.#seen = seen;
  }

  receive(): void {
    this.channel.receiver = this;
    if (this.channel.isPaused) this.channel.resume();
  }

  onBytes(bytes: Buffer, more: boolean): void {
    this.#seen?.(bytes);
    if (!this.#other.write(bytes, this.channel.lends, more)) this.channel.pause();
  }

  onEnd(): void {
    this.#other.end();
  }

  onDrain(): void {
    this.#other.resume();
  }

  onClose(failure: Refusal | undefined): void {
    // Without failure both directions were ended in order: the other channel only has to send what it still holds.
    if (failure) this.#other.abort(failure);
    this.#closed();
  }
}
