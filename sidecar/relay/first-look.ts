/**
 * One connection before it is known what it speaks. It holds the first bytes, dials the destination when the client
 * stays silent, and ends by handing both sides to a relay with everything that was heard. It forwards nothing itself.
 */
import type { Clock, Timer } from '../../shared/clock/clock.ts';
import { asRefusal, Refusal } from '../../shared/errors/refusal.ts';
import type { Channel, ChannelReceiver } from '../channel/channel.ts';
import type { IdleWatch } from './idle-watch.ts';
import { Linger } from './linger.ts';
import { type Spoken, saidIn, spokenIn } from './protocol-detect.ts';
import type { Accepted, Carrier, Relay, RetirementReason } from './relay.ts';
import { giveUp, type Upstream, type UpstreamConnection } from './upstream.ts';

export interface LookOptions {
  readonly upstream: Upstream;
  readonly clock: Clock;
  readonly watch: IdleWatch;
  /** How long the client may be silent before the destination is dialed. */
  readonly patienceMs: number;
  /** How long a client that has begun may take to be understood. */
  readonly undecidedMs: number;
  /** How long nobody may speak at all. */
  readonly idleSeconds: number;
}

export interface LookEvents {
  /** @returns the relay that takes over */
  understood(spoken: Spoken): Relay;
  /** The destination spoke before the client did. */
  serverSpoke(): void;
  /** It ended before it was understood, and its channel is closed. */
  over(why: Refusal | undefined): void;
}

/** `reaching`: understood, and the destination is being dialed. `ending`: nothing is read any more. */
type Phase = 'looking' | 'reaching' | 'ending' | 'over';

export class FirstLook implements ChannelReceiver, Carrier {
  readonly #accepted: Accepted;
  readonly #options: LookOptions;
  readonly #events: LookEvents;
  readonly #left = new AbortController();
  #phase: Phase = 'looking';
  #timer: Timer | undefined;
  #heard: Buffer = Buffer.alloc(0);
  /** By the destination. */
  #said: Buffer = Buffer.alloc(0);
  #hasEnded = false;
  /** Until the client has shown otherwise. */
  #spoken: Spoken = 'opaque';
  #dialing: Promise<void> | undefined;
  #ready: UpstreamConnection | undefined;

  constructor(accepted: Accepted, options: LookOptions, events: LookEvents) {
    this.#accepted = accepted;
    this.#options = options;
    this.#events = events;
    this.#ready = accepted.ready;
  }

  begin(): void {
    const { channel, connection } = this.#accepted;
    channel.receiver = this;
    connection.carriedBy(this);
    if (this.#phase !== 'looking') return;
    const { patienceMs } = this.#options;
    if (this.#ready) this.#listenTo(this.#ready);
    if (this.#ready || patienceMs === 0) this.#lookOut();
    else this.#wait(patienceMs, () => this.#lookOut());
    channel.resume();
  }

  onBytes(bytes: Buffer): void {
    if (this.#phase !== 'looking' && this.#phase !== 'reaching') return;
    if (this.#heard.length === 0) this.#wait(this.#options.undecidedMs, () => this.#fail(TOO_FEW()));
    // A copy: a lent buffer is the channel's again after this.
    this.#heard = Buffer.concat([this.#heard, bytes]);
    if (this.#phase !== 'looking') return;
    const spoken = spokenIn(this.#heard);
    if (spoken !== undefined) void this.#understood(spoken);
  }

  /** A client that ends without saying what it speaks speaks nothing that is read here. */
  onEnd(): void {
    this.#hasEnded = true;
    void this.#understood('opaque');
  }

  onDrain(): void {}

  /** The client left. Nobody is to blame for that. */
  onClose(): void {
    this.#finish(undefined);
  }

  retire(reason: RetirementReason): void {
    // Who takes over is told too: what has been understood may finish.
    if (reason === 'draining' && this.#phase === 'looking') this.#endInOrder(undefined);
  }

  expire(): void {
    if (this.#phase === 'looking' || this.#phase === 'reaching') this.#fail(new Refusal('connection_expired'));
  }

  cut(why: Refusal): void {
    if (this.#phase === 'ending') this.#accepted.channel.abort(why);
    else this.#fail(why);
  }

  /** Whoever speaks first decides now. */
  #lookOut(): void {
    const { idleSeconds } = this.#options;
    this.#wait(idleSeconds * 1000, () => this.#endInOrder(new Refusal('connection_idle', 'nobody spoke')));
    void this.#reach();
  }

  #reach(): Promise<void> {
    if (this.#ready) return Promise.resolve();
    this.#dialing ??= this.#dial();
    return this.#dialing;
  }

  async #dial(): Promise<void> {
    try {
      const ready = await this.#options.upstream.dial(this.#left.signal);
      if (this.#phase !== 'looking' && this.#phase !== 'reaching') return giveUp(ready, 'not needed any more');
      this.#ready = ready;
      this.#listenTo(ready);
    } catch (error) {
      this.#fail(asRefusal(error, 'upstream_unreachable'));
    }
  }

  #listenTo({ channel }: UpstreamConnection): void {
    channel.receiver = {
      onBytes: (bytes) => {
        if (this.#phase !== 'looking' && this.#phase !== 'reaching') return;
        this.#said = Buffer.concat([this.#said, bytes]);
        if (this.#phase === 'looking' && !this.#mayDecide(channel)) return;
        this.#handOver();
      },
      onEnd: () => {
        if (this.#phase === 'looking') this.#endInOrder(undefined);
      },
      onDrain() {},
      onClose: (failure) => this.#fail(failure ?? new Refusal('connection_broken', 'the destination closed')),
    };
  }

  /** The destination has said something to a silent client. @returns whether that decides */
  #mayDecide(channel: Channel): boolean {
    switch (saidIn(this.#said)) {
      case undefined:
        return false;
      case 'h2':
        channel.pause();
        return false;
      case 'answer':
        // It must not make the client's next bytes unread ones.
        this.#endInOrder(new Refusal('protocol_unknown', 'an answer came before a request'));
        return false;
      case 'other':
        this.#events.serverSpoke();
        return true;
    }
  }

  async #understood(spoken: Spoken): Promise<void> {
    if (this.#phase !== 'looking') return;
    this.#phase = 'reaching';
    this.#spoken = spoken;
    this.#timer?.cancel();
    // A request finds its own connection; bytes need theirs before they are delivered.
    if (spoken !== 'http' && !this.#ready) {
      this.#accepted.channel.pause();
      await this.#reach();
    }
    this.#handOver();
  }

  #handOver(): void {
    if (this.#phase === 'over' || this.#phase === 'ending') return;
    this.#phase = 'over';
    this.#timer?.cancel();
    this.#left.abort();
    const { channel } = this.#accepted;
    const relay = this.#events.understood(this.#spoken);
    const ready = this.#ready;
    relay.accept(ready ? { ...this.#accepted, ready } : this.#accepted);
    // The client's first: who reads along sees requests before answers.
    replay(channel, this.#heard, this.#hasEnded);
    if (ready) replay(ready.channel, this.#said, false);
  }

  /** At once. */
  #fail(why: Refusal): void {
    if (this.#phase !== 'looking' && this.#phase !== 'reaching') return;
    this.#accepted.channel.abort(why);
    this.#finish(why);
  }

  /** The client learns it by an end, and has a moment to end too. */
  #endInOrder(why: Refusal | undefined): void {
    if (this.#phase !== 'looking') return;
    this.#phase = 'ending';
    this.#letGo(why);
    const { watch, idleSeconds } = this.#options;
    new Linger({ channel: this.#accepted.channel, watch, idleSeconds, closed: () => this.#finish(why) });
  }

  #finish(why: Refusal | undefined): void {
    if (this.#phase === 'over') return;
    this.#phase = 'over';
    this.#letGo(why);
    this.#events.over(why);
  }

  #letGo(why: Refusal | undefined): void {
    this.#timer?.cancel();
    this.#left.abort();
    const ready = this.#ready;
    this.#ready = undefined;
    if (ready) giveUp(ready, why?.code ?? 'the client left');
  }

  #wait(ms: number, then: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(ms, then);
  }
}

const TOO_FEW = (): Refusal => new Refusal('protocol_unknown', 'too few bytes');

/** Gives the receiver what was heard before it came. */
function replay({ receiver }: Channel, heard: Buffer, hasEnded: boolean): void {
  if (heard.length > 0) receiver.onBytes(heard, false);
  if (hasEnded) receiver.onEnd();
}
