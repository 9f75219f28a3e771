/** An HTTP relay between channels in memory: the test is the caller at one end and the destination at the other. */

import { type Clock, systemClock, systemRandomness } from '../../shared/clock/clock.ts';
import type { Refusal } from '../../shared/errors/refusal.ts';
import { silentLog } from '../../shared/log/log.ts';
import { onlyUpstream } from '../../sidecar/relay/destination.ts';
import type { HttpLimits } from '../../sidecar/relay/http-limits.ts';
import { Http1Relay } from '../../sidecar/relay/http1-relay.ts';
import type { Upstream, UpstreamConnection } from '../../sidecar/relay/upstream.ts';
import type { ServedRequest } from '../../sidecar/telemetry/served-request.ts';
import { MemoryChannel, type MemoryChannelOptions, Recorder } from './memory-channel.ts';
import { LIMITS, PlayedConnection } from './relay-rig.ts';
import { until } from './until.ts';

export interface MemoryRigOptions {
  /** Of every channel of the relay. */
  readonly channels?: MemoryChannelOptions;
  readonly clock?: Clock;
  readonly limits?: Partial<HttpLimits>;
  readonly kind?: Upstream['kind'];
  /** Called before every connection is made: waits, or throws why there is none. */
  readonly dialing?: (at: number) => Promise<void> | void;
}

export interface Destination {
  readonly recorder: Recorder;
  readonly connection: PlayedConnection;
  /** The relay's end. */
  readonly channel: MemoryChannel;
}

export class MemoryRig {
  readonly relay: Http1Relay;
  readonly served: ServedRequest[] = [];
  readonly refused: Refusal[] = [];
  readonly destinations: Destination[] = [];
  readonly signals: (AbortSignal | undefined)[] = [];
  readonly #options: MemoryRigOptions;

  constructor(options: MemoryRigOptions = {}) {
    this.#options = options;
    const { clock = systemClock, kind = 'app' } = options;
    this.relay = new Http1Relay({
      destination: onlyUpstream(
        { kind, address: 'memory', dial: (signal) => this.#dial(signal) },
        clock,
        systemRandomness,
      ),
      limits: { ...LIMITS, ...options.limits },
      clock,
      randomness: systemRandomness,
      log: silentLog,
      observer: {
        requestServed: (one) => void this.served.push(one),
        refused: (one) => void this.refused.push(one),
      },
    });
  }

  /** A new caller; `inner` is the relay's end. */
  caller(): { recorder: Recorder; connection: PlayedConnection; inner: MemoryChannel } {
    const [outer, inner] = MemoryChannel.pair({}, this.#options.channels);
    const connection = new PlayedConnection();
    const recorder = new Recorder(outer);
    this.relay.accept({ channel: inner, connection });
    return { recorder, connection, inner };
  }

  /** The n-th connection that the relay has made, from 0. */
  destination(at: number): Promise<Destination> {
    return until(`connection ${at}`, () => this.destinations[at]);
  }

  async #dial(signal: AbortSignal | undefined): Promise<UpstreamConnection> {
    const at = this.signals.push(signal) - 1;
    await this.#options.dialing?.(at);
    const [inner, outer] = MemoryChannel.pair(this.#options.channels, {});
    const connection = new PlayedConnection();
    this.destinations.push({ recorder: new Recorder(outer), connection, channel: inner });
    return { channel: inner, connection };
  }
}
