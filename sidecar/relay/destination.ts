/**
 * Where a listener leads: one upstream, or every address behind the names of a destination. Relays take their own
 * set of endpoints from it (a pool of connections each, or nothing) and all of them follow the same addresses.
 */
import type { Clock, Randomness } from '../../shared/clock/clock.ts';
import type { Address } from '../balance/endpoint.ts';
import { EndpointSet } from '../balance/endpoint-set.ts';
import type { OutlierRules } from '../balance/outlier.ts';
import type { Resolver } from '../balance/resolver.ts';
import type { Upstream } from './upstream.ts';

/** What a relay keeps for each endpoint. */
export interface WaysTo<T> {
  wayTo(upstream: Upstream): T;
  /** The endpoint is gone, and nothing is in progress there. */
  left(way: T): void;
}

export interface Destination {
  readonly kind: Upstream['kind'];
  /** For logs. */
  readonly address: string;
  endpoints<T>(ways: WaysTo<T>): EndpointSet<T>;
}

/** An address that never changes: the own app. There is no choice, so nothing is left alone. */
export function onlyUpstream(upstream: Upstream, clock: Clock, randomness: Randomness): Destination {
  return {
    kind: upstream.kind,
    address: upstream.address,
    endpoints<T>({ wayTo, left }: WaysTo<T>): EndpointSet<T> {
      const outlier = { failures: Number.POSITIVE_INFINITY, ejectionMs: 0, longestMs: 0, mostShare: 0 };
      const endpoints = new EndpointSet<T>({
        clock,
        randomness,
        outlier,
        mostActive: Number.POSITIVE_INFINITY,
        wayTo: () => wayTo(upstream),
        left,
        ejected: () => {},
      });
      endpoints.update([{ host: upstream.address, port: 0 }]);
      return endpoints;
    },
  };
}

export interface BalancedDestinationOptions {
  readonly address: string;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly outlier: OutlierRules;
  readonly mostActive: number;
  /** Must be given back by `left`. */
  readonly upstreamTo: (address: Address) => Upstream;
  readonly left: (address: Address) => void;
  readonly ejected: (address: Address) => void;
  /** @param onAddresses told the whole list, again and again */
  readonly resolver: (onAddresses: (addresses: readonly Address[]) => void) => Resolver;
}

export class BalancedDestination implements Destination {
  readonly kind = 'peer';
  readonly address: string;
  readonly #options: BalancedDestinationOptions;
  readonly #resolver: Resolver;
  readonly #sets: { update(addresses: readonly Address[]): void }[] = [];
  #addresses: readonly Address[] = [];

  constructor(options: BalancedDestinationOptions) {
    this.#options = options;
    this.address = options.address;
    this.#resolver = options.resolver((addresses) => {
      this.#addresses = addresses;
      for (const set of this.#sets) set.update(addresses);
    });
  }

  endpoints<T>(ways: WaysTo<T>): EndpointSet<T> {
    const { clock, randomness, outlier, mostActive, upstreamTo, left, ejected } = this.#options;
    const set = new EndpointSet<T>({
      clock,
      randomness,
      outlier,
      mostActive,
      wayTo: (address) => ways.wayTo(upstreamTo(address)),
      left: (way, address) => {
        ways.left(way);
        left(address);
      },
      ejected,
    });
    set.update(this.#addresses);
    this.#sets.push(set);
    return set;
  }

  /** @returns when every name was looked up once */
  start(): Promise<void> {
    return this.#resolver.start();
  }

  stop(): void {
    this.#resolver.stop();
  }
}
