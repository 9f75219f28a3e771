/**
 * One keep-alive connection to the destination: free for the next request, or used by one. It ends with the
 * identities that opened it: at once when it is free, else after the answer. It reads no byte of what it carries.
 */
import { Refusal } from '../../shared/errors/refusal.ts';
import type { Channel, ChannelReceiver } from '../channel/channel.ts';
import type { Carrier, RegisteredConnection } from './relay.ts';
import type { UpstreamConnection } from './upstream.ts';

/** The request that uses it. */
export interface UpstreamUser {
  onAnswerBytes(bytes: Buffer, more: boolean): void;
  /** The destination has ended its direction. */
  onAnswerEnd(): void;
  /** There is room again for more of the request. */
  onRequestRoom(): void;
  /** @param failure undefined when both directions were ended in order */
  onUpstreamClosed(failure: Refusal | undefined): void;
}

/** Who keeps free ones. */
export interface UpstreamKeeper {
  /** It is free no more: it ends, and reads what still comes into the void. */
  end(upstream: Http1Upstream): void;
  forget(upstream: Http1Upstream): void;
}

export class Http1Upstream implements ChannelReceiver, Carrier {
  readonly channel: Channel;
  readonly peer: string | undefined;
  readonly own: string | undefined;
  /** Used by an earlier request. */
  isReused = false;
  /** It only waits for the destination to close. */
  isEnding = false;
  /** Monotonic milliseconds; 0 until the first look at it. */
  freeSince = 0;
  readonly #keeper: UpstreamKeeper;
  readonly #registered: RegisteredConnection | undefined;
  #user: UpstreamUser | undefined;
  /** Made for a request that comes in a moment. */
  #isAwaited = true;
  #isRetired = false;
  #hasEnded = false;
  #failure: Refusal | undefined;

  constructor({ channel, connection, peer, own }: UpstreamConnection, keeper: UpstreamKeeper) {
    this.channel = channel;
    this.#keeper = keeper;
    this.#registered = connection;
    this.peer = peer?.spiffeId.uri;
    this.own = own?.spiffeId.uri;
    channel.receiver = this;
    connection?.carriedBy(this);
  }

  /** Whether another request may use it. */
  get isUsable(): boolean {
    return !this.#isRetired && !this.#hasEnded && !this.channel.isEnded;
  }

  use(user: UpstreamUser): void {
    this.#user = user;
    this.#isAwaited = false;
    if (this.#registered) this.#registered.requests++;
    // Before anybody waited for it. Told later: the request is not under way yet.
    if (this.#hasEnded) queueMicrotask(() => this.#tellEnd());
  }

  /** The request is done with it. */
  release(): void {
    this.#user = undefined;
    this.#isAwaited = false;
    this.isReused = true;
    // What was paused for one request would stall the next one.
    if (this.channel.isPaused) this.channel.resume();
  }

  onBytes(bytes: Buffer, more: boolean): void {
    if (this.#user) this.#user.onAnswerBytes(bytes, more);
    // An answer that nobody asked for would be taken for that of the next request.
    else if (this.#isAwaited) this.#hasEnded = true;
    else this.#endFree();
  }

  onEnd(): void {
    this.#hasEnded = true;
    if (this.#user) this.#user.onAnswerEnd();
    else if (!this.#isAwaited) this.#endFree();
  }

  onDrain(): void {
    this.#user?.onRequestRoom();
  }

  onClose(failure: Refusal | undefined): void {
    this.#hasEnded = true;
    this.#failure = failure;
    this.#keeper.forget(this);
    const user = this.#user;
    this.#user = undefined;
    user?.onUpstreamClosed(failure);
  }

  retire(): void {
    this.#isRetired = true;
    // The request that it was made for may still go by it.
    if (!this.#user && !this.#isAwaited) this.#endFree();
  }

  expire(): void {
    this.retire();
  }

  cut(why: Refusal): void {
    this.#isRetired = true;
    this.channel.abort(why);
  }

  /** The request is over before its answer: nothing of either matters any more. */
  abandon(): void {
    this.#user = undefined;
    this.channel.abort(new Refusal('connection_broken', 'the request was given up'));
  }

  #tellEnd(): void {
    if (this.channel.isClosed) this.onClose(this.#failure);
    else this.#user?.onAnswerEnd();
  }

  #endFree(): void {
    this.#isRetired = true;
    this.#keeper.end(this);
  }
}
