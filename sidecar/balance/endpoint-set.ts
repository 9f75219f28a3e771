/**
 * The endpoints of one destination. It chooses among those that are well, forgets nobody who still has something in
 * progress, and refuses beyond the destination's circuit limit, so that one slow destination cannot take the whole
 * sidecar with it.
 */
import type { Clock, Randomness } from '../../shared/clock/clock.ts';
import { Refusal } from '../../shared/errors/refusal.ts';
import { type Address, addressKey, Endpoint } from './endpoint.ts';
import { leastOfTwo } from './least-request.ts';
import { mayEject, type OutlierRules } from './outlier.ts';

export interface EndpointSetOptions<T> {
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly outlier: OutlierRules;
  /** Requests and connections in progress over all endpoints, before more are refused. */
  readonly mostActive: number;
  /** Makes what leads to a new endpoint. */
  readonly wayTo: (address: Address) => T;
  /** The endpoint has left and nothing is in progress there any more. */
  readonly left: (way: T, address: Address) => void;
  readonly ejected: (address: Address) => void;
}

export class EndpointSet<T> {
  readonly #options: EndpointSetOptions<T>;
  readonly #present = new Map<string, Endpoint<T>>();
  readonly #leaving = new Set<Endpoint<T>>();
  #list: readonly Endpoint<T>[] = [];
  #active = 0;

  constructor(options: EndpointSetOptions<T>) {
    this.#options = options;
  }

  get size(): number {
    return this.#present.size;
  }

  /** Present and leaving ones. */
  get ways(): T[] {
    return [...this.#present.values(), ...this.#leaving].map(({ way }) => way);
  }

  /** The whole list, as it is now. An endpoint that stays keeps what it has. */
  update(addresses: readonly Address[]): void {
    const wanted = new Map(addresses.map((address) => [addressKey(address), address]));
    for (const [key, endpoint] of this.#present) {
      if (wanted.has(key)) continue;
      this.#present.delete(key);
      endpoint.isLeaving = true;
      this.#leaving.add(endpoint);
      this.#leaveWhenIdle(endpoint);
    }
    for (const [key, address] of wanted) {
      if (!this.#present.has(key)) this.#present.set(key, new Endpoint(address, this.#options.wayTo(address)));
    }
    this.#list = [...this.#present.values()];
  }

  /**
   * Counts as begun: `ended` must follow.
   * @param tried those that have just failed; they are chosen only when there are no others
   * @throws {Refusal} upstream_overloaded, upstream_unreachable
   */
  begin(tried: readonly Endpoint<T>[] = NOBODY): Endpoint<T> {
    const { mostActive, clock, randomness } = this.#options;
    if (this.#active >= mostActive) throw new Refusal('upstream_overloaded', `${mostActive} in progress`);
    const endpoint = this.#single() ?? leastOfTwo(this.#choices(clock.monotonic(), tried), randomness);
    if (!endpoint) throw new Refusal('upstream_unreachable', 'no address is known');
    endpoint.active++;
    this.#active++;
    return endpoint;
  }

  /** @param well undefined when it says nothing about the endpoint */
  ended(endpoint: Endpoint<T>, well: boolean | undefined): void {
    endpoint.active--;
    this.#active--;
    if (well === true) endpoint.succeeded();
    else if (well === false) this.#failed(endpoint);
    if (endpoint.isLeaving) this.#leaveWhenIdle(endpoint);
  }

  #single(): Endpoint<T> | undefined {
    return this.#list.length === 1 ? this.#list[0] : undefined;
  }

  /** When everyone is out or just failed, everyone is tried: a guess is better than a certain refusal. */
  #choices(now: number, tried: readonly Endpoint<T>[]): readonly Endpoint<T>[] {
    const well = this.#list.filter((endpoint) => !tried.includes(endpoint) && !endpoint.isOut(now));
    if (well.length > 0) return well;
    const others = this.#list.filter((endpoint) => !tried.includes(endpoint));
    return others.length > 0 ? others : this.#list;
  }

  #failed(endpoint: Endpoint<T>): void {
    const { clock, outlier, ejected } = this.#options;
    const now = clock.monotonic();
    const out = this.#list.filter((other) => other.isOut(now)).length;
    if (endpoint.failed(clock, outlier, mayEject(out, this.#list.length, outlier))) ejected(endpoint.address);
  }

  #leaveWhenIdle(endpoint: Endpoint<T>): void {
    if (endpoint.active === 0 && this.#leaving.delete(endpoint)) this.#options.left(endpoint.way, endpoint.address);
  }
}

const NOBODY: readonly never[] = [];
