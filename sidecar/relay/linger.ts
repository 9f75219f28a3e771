/**
 * The end of a channel whose owner is done with it: the own direction is ended, what still comes is read into the
 * void, and after a moment it is closed. Closing with unread bytes would reset the connection and could take the
 * last answer away from the other side (RFC 9112 §9.6).
 */
import { Refusal } from '../../shared/errors/refusal.ts';
import type { Channel, ChannelReceiver } from '../channel/channel.ts';
import type { IdleWatch, Watched } from './idle-watch.ts';

/** Milliseconds that the other side gets to end its own direction after it was sent everything. */
const LINGER_MS = 2_000;

export interface LingerOptions {
  readonly channel: Channel;
  readonly watch: IdleWatch;
  /** For the other side to take some of what still waits for it. */
  readonly idleSeconds: number;
  readonly closed: () => void;
}

export class Linger implements ChannelReceiver, Watched {
  readonly #options: LingerOptions;
  #queued = 0;
  #since: number;

  /** Begins at once. The channel must not be closed. */
  constructor(options: LingerOptions) {
    this.#options = options;
    const { channel, watch } = options;
    this.#since = watch.now();
    channel.receiver = this;
    channel.end();
    if (channel.isPaused) channel.resume();
    watch.add(this);
  }

  look(now: number): void {
    const { channel, idleSeconds } = this.#options;
    const queued = channel.queued ?? 0;
    const most = queued > 0 ? idleSeconds * 1000 : LINGER_MS;
    if (queued !== this.#queued) {
      this.#queued = queued;
      this.#since = now;
    } else if (now - this.#since > most) channel.abort(new Refusal('connection_idle', 'it did not close'));
  }

  onBytes(): void {}

  onEnd(): void {}

  onDrain(): void {}

  onClose(): void {
    this.#options.watch.remove(this);
    this.#options.closed();
  }
}
