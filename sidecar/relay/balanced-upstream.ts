/**
 * A destination with several endpoints, seen as one upstream: each connection goes where there is least, and when an
 * endpoint cannot be reached another one is tried before anybody is told. Nothing has been sent by then, so a second
 * try repeats nothing.
 */
import { asRefusal } from '../../shared/errors/refusal.ts';
import type { Endpoint } from '../balance/endpoint.ts';
import type { EndpointSet } from '../balance/endpoint-set.ts';
import type { Destination } from './destination.ts';
import { faultOfEndpoint, MOST_TRIES } from './endpoint-fault.ts';
import type { Upstream, UpstreamConnection } from './upstream.ts';

/** With a set of endpoints of its own. */
export function balancedUpstream(destination: Destination): Upstream {
  const endpoints = destination.endpoints({ wayTo: (upstream) => upstream, left: () => {} });
  return new BalancedUpstream(endpoints, destination.kind, destination.address);
}

class BalancedUpstream implements Upstream {
  readonly kind: Upstream['kind'];
  readonly address: string;
  readonly #endpoints: EndpointSet<Upstream>;

  /** @param address for logs */
  constructor(endpoints: EndpointSet<Upstream>, kind: Upstream['kind'], address: string) {
    this.kind = kind;
    this.#endpoints = endpoints;
    this.address = address;
  }

  async dial(signal?: AbortSignal): Promise<UpstreamConnection> {
    const tried: Endpoint<Upstream>[] = [];
    for (;;) {
      const endpoint = this.#endpoints.begin(tried);
      try {
        return { ...(await endpoint.way.dial(signal)), release: this.#releaseOf(endpoint) };
      } catch (error) {
        const isItsFault = !signal?.aborted && faultOfEndpoint(asRefusal(error, 'upstream_unreachable'));
        this.#endpoints.ended(endpoint, isItsFault ? false : undefined);
        tried.push(endpoint);
        if (!isItsFault || tried.length >= Math.min(MOST_TRIES, this.#endpoints.size)) throw error;
      }
    }
  }

  /** Once: it is in progress until the connection is over. */
  #releaseOf(endpoint: Endpoint<Upstream>): () => void {
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#endpoints.ended(endpoint, true);
    };
  }
}
