/**
 * Carries any TCP protocol: dials first, so that a server may speak first, then moves bytes both ways. What the
 * client sends meanwhile waits in its channel. It reads nothing, so it can neither add nor check a header.
 */
import type { Clock } from '../../shared/clock/clock.ts';
import { asRefusal, Refusal } from '../../shared/errors/refusal.ts';
import type { Log } from '../../shared/log/log.ts';
import type { Channel, ChannelReceiver } from '../channel/channel.ts';
import type { Principals } from '../telemetry/istio-labels.ts';
import type { ServedConnection } from '../telemetry/served-request.ts';
import { ChannelSplice, type ChannelSpliceOptions, type SpliceTap } from './channel-splice.ts';
import { IdleWatch } from './idle-watch.ts';
import type { Accepted, Carrier, Relay } from './relay.ts';
import { giveUp, type Upstream, type UpstreamConnection } from './upstream.ts';

/** Counts one connection while it lasts. */
export interface FlowObserver {
  flowed(sentBytes: number, receivedBytes: number): void;
  closed(served: ServedConnection): void;
}

export interface TcpObserver {
  connectionOpened(who: Principals): FlowObserver;
  /** Once for everything that was refused or cut. */
  refused(refusal: Refusal): void;
}

export interface TcpRelayOptions {
  readonly upstream: Upstream;
  readonly idleSeconds: number;
  readonly clock: Clock;
  /** Carries direction and listener. */
  readonly log: Log;
  readonly observer: TcpObserver;
  /** Counts the calls inside, by reading along. */
  readonly calls?: (who: Principals) => SpliceTap & { ended(failure: Refusal | undefined, callerLeft: boolean): void };
}

export class TcpRelay implements Relay {
  readonly #options: TcpRelayOptions;
  readonly #watch: IdleWatch;
  readonly #carried = new Map<Channel, Carrier | undefined>();

  constructor(options: TcpRelayOptions) {
    this.#options = options;
    this.#watch = new IdleWatch(options.clock, options.idleSeconds);
  }

  accept(accepted: Accepted): void {
    const { channel, connection, ready } = accepted;
    if (channel.isClosed) return void (ready && giveUp(ready, 'the client left'));
    this.#carried.set(channel, undefined);
    connection.requests++;
    if (ready) this.#join(accepted, ready, this.#watch.now());
    else void this.#carry(accepted);
  }

  drain(): void {
    for (const carrier of this.#carried.values()) carrier?.retire('draining');
  }

  close(): void {
    for (const channel of this.#carried.keys()) channel.abort(new Refusal('draining'));
  }

  async #carry(accepted: Accepted): Promise<void> {
    const { channel } = accepted;
    const startedAt = this.#watch.now();
    const waiting = new WaitingClient(channel, () => this.#carried.delete(channel));
    let upstream: UpstreamConnection;
    try {
      upstream = await this.#options.upstream.dial(waiting.left);
    } catch (error) {
      if (waiting.left.aborted) return;
      const refusal = asRefusal(error, 'upstream_unreachable');
      this.#tell(refusal, accepted);
      return channel.abort(refusal);
    }
    if (channel.isClosed) return giveUp(upstream, 'the client left');
    this.#join(accepted, upstream, startedAt);
  }

  #join(accepted: Accepted, upstream: UpstreamConnection, startedAt: number): void {
    const { channel, connection, peer, own } = accepted;
    const who = {
      peer: upstream.peer?.spiffeId.uri ?? peer?.spiffeId.uri,
      own: upstream.own?.spiffeId.uri ?? own?.spiffeId.uri,
    };
    const flow = this.#options.observer.connectionOpened(who);
    const calls = this.#options.calls?.(who);
    const splice = this.#splice(channel, upstream.channel, { flow, calls }, (why, clientLeft) => {
      this.#carried.delete(channel);
      upstream.release?.();
      calls?.ended(why, clientLeft);
      if (why) this.#tell(why, accepted);
      const bytes = { receivedBytes: channel.bytesRead, sentBytes: channel.bytesWritten };
      flow.closed({ ...who, ...bytes, refusal: why?.code ?? '', durationMs: this.#watch.now() - startedAt });
    });
    this.#carried.set(channel, splice);
    connection.carriedBy(splice);
    upstream.connection?.carriedBy(splice);
    splice.join();
  }

  #splice(
    client: Channel,
    upstream: Channel,
    { flow, calls }: { flow: FlowObserver; calls: SpliceTap | undefined },
    over: ChannelSpliceOptions['over'],
  ): ChannelSplice {
    const flowed = (): void => flow.flowed(client.bytesWritten, client.bytesRead);
    const { idleSeconds } = this.#options;
    return new ChannelSplice({ client, upstream, watch: this.#watch, idleSeconds, flowed, over, tap: calls });
  }

  #tell(refusal: Refusal, { peer }: Accepted): void {
    const { code, detail } = refusal;
    this.#options.log.warn('connection_refused', { code, reason: detail, peer: peer?.spiffeId.uri });
    this.#options.observer.refused(refusal);
  }
}

/** A client whose destination is being dialed. Nothing of it is read before the destination is there. */
class WaitingClient implements ChannelReceiver {
  readonly #left = new AbortController();
  readonly #forget: () => void;

  constructor(channel: Channel, forget: () => void) {
    this.#forget = forget;
    channel.receiver = this;
    channel.pause();
  }

  /** Aborted when it does not wait any more. */
  get left(): AbortSignal {
    return this.#left.signal;
  }

  onBytes(): void {}

  onEnd(): void {}

  onDrain(): void {}

  onClose(): void {
    this.#forget();
    this.#left.abort();
  }
}
