/**
 * A relay with `protocol: auto` between channels in memory, wired as a listener wires it. The test is the client at
 * one end and the destinations at the other, and moves the clock.
 */
import { systemRandomness } from '../../shared/clock/clock.ts';
import type { Refusal } from '../../shared/errors/refusal.ts';
import { silentLog } from '../../shared/log/log.ts';
import type { Address } from '../../sidecar/balance/endpoint.ts';
import { Resolver } from '../../sidecar/balance/resolver.ts';
import { createRelay } from '../../sidecar/listeners/relays.ts';
import { BalancedDestination } from '../../sidecar/relay/destination.ts';
import type { Relay, RelayProtocol } from '../../sidecar/relay/relay.ts';
import type { UpstreamConnection } from '../../sidecar/relay/upstream.ts';
import { noAccessLog } from '../../sidecar/telemetry/access-log.ts';
import { TrafficMetrics } from '../../sidecar/telemetry/traffic-metrics.ts';
import { FakeClock } from './fake-clock.ts';
import { MemoryChannel, type MemoryChannelOptions, Recorder } from './memory-channel.ts';
import { LIMITS, PlayedConnection } from './relay-rig.ts';
import { until } from './until.ts';

export const PATIENCE_MS = 200;
export const UNDECIDED_MS = LIMITS.headerSeconds * 1000;
export const IDLE_MS = LIMITS.idleSeconds * 1000;

export interface DetectRigOptions {
  /** Of every channel of the relay. */
  readonly channels?: MemoryChannelOptions;
  readonly protocol?: RelayProtocol;
  readonly endpoints?: number;
  readonly mostActive?: number;
  /** Called before every connection is made: waits, or throws why there is none. */
  readonly dialing?: (address: Address) => Promise<void> | void;
}

export interface Reached {
  readonly recorder: Recorder;
  readonly connection: PlayedConnection;
  readonly address: Address;
}

export interface Caller {
  readonly recorder: Recorder;
  readonly connection: PlayedConnection;
  /** The relay's end. */
  readonly inner: MemoryChannel;
}

export class DetectRig {
  readonly clock = new FakeClock();
  readonly relay: Relay;
  readonly traffic = new TrafficMetrics();
  readonly refused: Refusal[] = [];
  readonly lost: string[] = [];
  readonly reached: Reached[] = [];
  readonly ejected: string[] = [];
  readonly #options: DetectRigOptions;

  constructor(options: DetectRigOptions = {}) {
    this.#options = options;
    const { endpoints = 1, mostActive = 1000, protocol = 'auto' } = options;
    const targets = Array.from({ length: endpoints }, (_, at) => ({ host: `10.0.0.${at + 1}`, port: 80 }));
    const { clock } = this;
    const destination = new BalancedDestination({
      address: 'memory',
      clock,
      randomness: systemRandomness,
      outlier: { failures: 5, ejectionMs: 1000, longestMs: 1000, mostShare: 0.5 },
      mostActive,
      upstreamTo: (address) => ({ kind: 'peer', address: address.host, dial: () => this.#dial(address) }),
      left: () => {},
      ejected: ({ host }) => void this.ejected.push(host),
      resolver: (onAddresses) =>
        new Resolver(targets, {
          clock,
          everySeconds: 5,
          lookup: () => Promise.resolve([]),
          onAddresses,
          onFailure: () => {},
        }),
    });
    this.relay = createRelay({
      protocol,
      destination,
      limits: { ...LIMITS, detectMs: PATIENCE_MS },
      clock,
      randomness: systemRandomness,
      log: silentLog,
      traffic: this.traffic.at({
        reporter: 'source',
        workload: {},
        service: { host: 'memory', name: 'memory', namespace: '' },
      }),
      accessLog: noAccessLog,
      refused: (one) => void this.refused.push(one),
      callsLost: (reason) => void this.lost.push(reason),
    });
    void destination.start();
  }

  get codes(): string[] {
    return this.refused.map(({ code }) => code);
  }

  /** How many were counted as requests, and how many as connections of bytes. */
  get counted(): { readonly requests: number; readonly connections: number } {
    const sum = (samples: readonly { readonly value: number }[]): number =>
      samples.reduce((all, { value }) => all + value, 0);
    return { requests: sum(this.traffic.requests.samples()), connections: sum(this.traffic.opened.samples()) };
  }

  /** @param ready with a connection to the destination, as a tunnel's gate has made it */
  caller(ready = false): Caller & { readonly app: Recorder | undefined } {
    const [outer, inner] = MemoryChannel.pair({}, this.#options.channels);
    const connection = new PlayedConnection();
    const recorder = new Recorder(outer);
    const made = ready ? MemoryChannel.pair(this.#options.channels, {}) : undefined;
    const app = made && new Recorder(made[1]);
    this.relay.accept({ channel: inner, connection, ...(made ? { ready: { channel: made[0] } } : {}) });
    return { recorder, connection, inner, app };
  }

  /** The n-th connection that the relay has made, from 0. */
  destination(at: number): Promise<Reached> {
    return until(`connection ${at}`, () => this.reached[at]);
  }

  async #dial(address: Address): Promise<UpstreamConnection> {
    await this.#options.dialing?.(address);
    const [inner, outer] = MemoryChannel.pair(this.#options.channels, {});
    const connection = new PlayedConnection();
    this.reached.push({ recorder: new Recorder(outer), connection, address });
    return { channel: inner, connection };
  }
}
