/**
 * One connection before it is known what it speaks. It holds the first bytes, dials the destination when the client
 * stays silent, and ends by handing both sides to a relay with everything that was heard. It forwards nothing itself.
 */
import type { Clock, Timer } from '../../shared/clock/clock.ts';
import { asRefusal, Refusal } from '../../shared/errors/refusal.ts';
import type { Channel, ChannelReceiver } from '../channel/channel.ts';
import { type Spoken, spokenIn } from './protocol-detect.ts';
import type { Accepted, Carrier, Relay, RetirementReason } from './relay.ts';
import type { Upstream, UpstreamConnection } from './upstream.ts';

export interface LookOptions {
  readonly upstream: Upstream;
  readonly clock: Clock;
  readonly patienceMs: number;
  readonly undecidedMs: number;
}

export interface LookEvents {
  /** @returns the relay that takes over */
  understood(spoken: Spoken): Relay;
  /** The destination spoke before the client did. */
  serverSpoke(): void;
  /** It ended before it was understood. */
  over(why: Refusal | undefined): void;
}

export class FirstLook implements ChannelReceiver, Carrier {
  readonly #accepted: Accepted;
  readonly #options: LookOptions;
  readonly #events: LookEvents;
  readonly #left = new AbortController();
  #timer: Timer | undefined;
  #heard: Buffer = Buffer.alloc(0);
  #hasEnded = false;
  #dialing: Promise<UpstreamConnection | undefined> | undefined;
  #isUnderstood = false;
  #ready: UpstreamConnection | undefined;
  #isOver = false;

  constructor(accepted: Accepted, options: LookOptions, events: LookEvents) {
    this.#accepted = accepted;
    this.#options = options;
    this.#events = events;
    this.#ready = accepted.ready;
  }

  begin(): void {
    const { channel, connection } = this.#accepted;
    connection.carriedBy(this);
    if (this.#isOver) return;
    channel.receiver = this;
    if (this.#ready) this.#listenTo(this.#ready);
    const { clock, patienceMs } = this.#options;
    if (patienceMs === 0) void this.#reach();
    else this.#timer = clock.after(patienceMs, () => void this.#reach());
    channel.resume();
  }

  onBytes(bytes: Buffer): void {
    const { clock, undecidedMs } = this.#options;
    if (this.#heard.length === 0 && !this.#isUnderstood) {
      this.#timer?.cancel();
      this.#timer = clock.after(undecidedMs, () => this.#fail(new Refusal('protocol_unknown', 'too few bytes')));
    }
    // A copy: a lent buffer is the channel's again after this.
    this.#heard = Buffer.concat([this.#heard, bytes]);
    const spoken = this.#isUnderstood ? undefined : spokenIn(this.#heard);
    if (spoken !== undefined) void this.#understood(spoken);
  }

  /** A client that ends without saying what it speaks speaks nothing that is read here. */
  onEnd(): void {
    this.#hasEnded = true;
    void this.#understood('opaque');
  }

  onDrain(): void {}

  onClose(failure: Refusal | undefined): void {
    this.#finish(failure);
  }

  retire(reason: RetirementReason): void {
    if (reason === 'draining') this.#fail(undefined);
  }

  expire(): void {
    this.#fail(new Refusal('connection_expired'));
  }

  cut(why: Refusal): void {
    this.#fail(why);
  }

  /** Dials, so that the destination can speak. */
  #reach(): Promise<UpstreamConnection | undefined> {
    if (this.#ready || this.#isOver) return Promise.resolve(this.#ready);
    this.#dialing ??= this.#dial();
    return this.#dialing;
  }

  async #dial(): Promise<UpstreamConnection | undefined> {
    try {
      const ready = await this.#options.upstream.dial(this.#left.signal);
      if (this.#isOver) return void ready.channel.abort(new Refusal('connection_broken', 'the client left'));
      this.#ready = ready;
      this.#listenTo(ready);
      return ready;
    } catch (error) {
      this.#fail(asRefusal(error, 'upstream_unreachable'));
      return undefined;
    }
  }

  #listenTo({ channel }: UpstreamConnection): void {
    const spoke = (deliver: (to: ChannelReceiver) => void): void => {
      if (this.#isOver) return;
      this.#events.serverSpoke();
      this.#handOver('opaque');
      deliver(channel.receiver);
    };
    channel.receiver = {
      onBytes: (bytes, more) => spoke((to) => to.onBytes(bytes, more)),
      onEnd: () => spoke((to) => to.onEnd()),
      onDrain() {},
      onClose: (failure) => {
        if (!this.#isOver) this.#fail(failure ?? new Refusal('connection_broken', 'the destination closed'));
      },
    };
  }

  async #understood(spoken: Spoken): Promise<void> {
    if (this.#isOver || this.#isUnderstood) return;
    this.#isUnderstood = true;
    this.#timer?.cancel();
    // A request finds its own connection; bytes need theirs before they are delivered.
    if (spoken !== 'http' && !this.#ready) {
      this.#accepted.channel.pause();
      if (!(await this.#reach())) return;
      if (this.#isOver) return;
      // What waited in the channel is heard too, before it changes hands.
      this.#accepted.channel.resume();
    }
    this.#handOver(spoken);
  }

  #handOver(spoken: Spoken): void {
    this.#isOver = true;
    this.#timer?.cancel();
    const { channel } = this.#accepted;
    const relay = this.#events.understood(spoken);
    relay.accept(this.#ready ? { ...this.#accepted, ready: this.#ready } : this.#accepted);
    replay(channel, this.#heard, this.#hasEnded);
  }

  #fail(why: Refusal | undefined): void {
    if (this.#isOver) return;
    const { channel } = this.#accepted;
    if (why) channel.abort(why);
    else channel.end();
    this.#finish(why);
  }

  #finish(why: Refusal | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timer?.cancel();
    this.#left.abort();
    this.#ready?.channel.abort(why ?? new Refusal('connection_broken', 'the client left'));
    this.#events.over(why);
  }
}

/** Gives the receiver what was heard before it came. */
function replay({ receiver }: Channel, heard: Buffer, hasEnded: boolean): void {
  if (heard.length > 0) receiver.onBytes(heard, false);
  if (hasEnded) receiver.onEnd();
}
