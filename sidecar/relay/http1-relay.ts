/**
 * Carries HTTP/1.1 between channels: a strict reader of heads on both sides, rules of our own between them, and
 * bodies as they come. It has no port: listeners hand it connections. It terminates neither gzip nor anything else
 * inside a body.
 */
import type { Clock, Randomness } from '../../shared/clock/clock.ts';
import { Refusal } from '../../shared/errors/refusal.ts';
import type { Log } from '../../shared/log/log.ts';
import { balancedUpstream } from './balanced-upstream.ts';
import type { Destination } from './destination.ts';
import type { HttpLimits } from './http-limits.ts';
import { Http1Connection } from './http1-connection.ts';
import type { Http1Context, HttpObserver } from './http1-context.ts';
import { Http1Pool } from './http1-pool.ts';
import { IdleWatch } from './idle-watch.ts';
import type { Accepted, Relay } from './relay.ts';
import { RequestIds } from './request-id.ts';
import { giveUp, type UpstreamConnection } from './upstream.ts';

export interface Http1RelayOptions {
  readonly destination: Destination;
  readonly limits: HttpLimits;
  readonly clock: Clock;
  readonly randomness: Randomness;
  /** Carries direction and listener. */
  readonly log: Log;
  readonly observer: HttpObserver;
}

/** Servers wait longer than this before they close an idle connection, so that requests rarely meet a closing one. */
const POOL_IDLE_SHARE = 0.5;

export class Http1Relay implements Relay {
  readonly #context: Http1Context;
  readonly #connections = new Set<Http1Connection>();

  constructor({ destination, limits, clock, randomness, log, observer }: Http1RelayOptions) {
    const { headerSeconds, bodyIdleSeconds, idleSeconds } = limits;
    const watch = new IdleWatch(clock, Math.min(headerSeconds, bodyIdleSeconds, idleSeconds * POOL_IDLE_SHARE));
    const endpoints = destination.endpoints({
      wayTo: (upstream) => new Http1Pool(upstream, watch, idleSeconds * POOL_IDLE_SHARE),
      left: (pool) => pool.close(),
    });
    const headLimits = { bytes: limits.headerBytes, fields: limits.headerCount };
    const upgrades = balancedUpstream(destination);
    const { kind } = destination;
    const requestIds = new RequestIds(randomness);
    this.#context = { kind, endpoints, upgrades, limits, headLimits, watch, clock, requestIds, log, observer };
  }

  accept(accepted: Accepted): void {
    const { channel, ready } = accepted;
    if (channel.isClosed) return void (ready && giveUp(ready, 'the caller left'));
    if (ready) this.#take(ready);
    this.#connections.add(new Http1Connection(accepted, this.#context, this.#closed));
  }

  /** Where there are several endpoints nobody knows any more to which of them it leads: requests choose anew. */
  #take(ready: UpstreamConnection): void {
    const [pool, ...others] = this.#context.endpoints.ways;
    if (!pool || others.length > 0) return void giveUp(ready, 'requests choose anew');
    ready.release?.();
    pool.adopt(ready);
  }

  drain(): void {
    for (const connection of this.#connections) if (!connection.isStream) connection.retire('draining');
  }

  close(): void {
    for (const connection of this.#connections) connection.breakOff(new Refusal('draining'));
    for (const pool of this.#context.endpoints.ways) pool.close();
  }

  readonly #closed = (connection: Http1Connection): void => void this.#connections.delete(connection);
}
