/**
 * Where one request goes: an endpoint of the destination and its pool of connections. Nothing has been sent while a
 * connection is still being dialed, so a request may move on to another endpoint then.
 */

import type { Refusal } from '../../shared/errors/refusal.ts';
import type { Endpoint } from '../balance/endpoint.ts';
import type { EndpointSet } from '../balance/endpoint-set.ts';
import { faultOfEndpoint, MOST_TRIES } from './endpoint-fault.ts';
import type { Http1Pool } from './http1-pool.ts';

export class Http1Route {
  readonly #endpoints: EndpointSet<Http1Pool>;
  #endpoint: Endpoint<Http1Pool> | undefined;
  readonly #tried: Endpoint<Http1Pool>[] = [];

  constructor(endpoints: EndpointSet<Http1Pool>) {
    this.#endpoints = endpoints;
  }

  /** `end` must follow. @throws {Refusal} upstream_overloaded, upstream_unreachable */
  begin(): Http1Pool {
    // Setting a length costs as much as a call of the runtime, even when it changes nothing.
    if (this.#tried.length > 0) this.#tried.length = 0;
    this.#endpoint = this.#endpoints.begin();
    return this.#endpoint.way;
  }

  /** Of the endpoint at present. */
  get pool(): Http1Pool {
    return this.#endpoint!.way;
  }

  /** The endpoint could not be reached. @returns whether there is another one now */
  moveOn(why: Refusal): boolean {
    const tried = this.#tried;
    tried.push(this.#endpoint!);
    if (!faultOfEndpoint(why) || tried.length >= Math.min(MOST_TRIES, this.#endpoints.size)) return false;
    this.#endpoints.ended(this.#endpoint!, false);
    this.#endpoint = this.#endpoints.begin(tried);
    return true;
  }

  /** @param well how the endpoint did; undefined when the request says nothing about it */
  end(well: boolean | undefined): void {
    const endpoint = this.#endpoint;
    this.#endpoint = undefined;
    if (endpoint) this.#endpoints.ended(endpoint, well);
  }
}

/**
 * What the end of a request says about the endpoint: a destination that was not reached, broke off or could not do
 * its own part (502 to 504) did badly. A caller's own fault, or a limit of ours, says nothing.
 */
export function didWell(refusal: Refusal | undefined, status: number | undefined): boolean | undefined {
  if (refusal) return faultOfEndpoint(refusal) ? false : undefined;
  return status === undefined ? undefined : status < 502 || status > 504;
}
