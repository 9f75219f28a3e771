/**
 * Carries HTTP/1.1 between channels: a strict reader of heads on both sides, rules of our own between them, and
 * bodies as they come. It has no port: listeners hand it connections. It terminates neither gzip nor anything else
 * inside a body.
 */
import type { Clock, Randomness } from '../../shared/clock/clock.ts';
import { Refusal } from '../../shared/errors/refusal.ts';
import type { Log } from '../../shared/log/log.ts';
import type { HttpLimits } from './http-limits.ts';
import { Http1Connection } from './http1-connection.ts';
import type { Http1Context, HttpObserver } from './http1-context.ts';
import { Http1Pool } from './http1-pool.ts';
import { IdleWatch } from './idle-watch.ts';
import type { Accepted, Relay } from './relay.ts';
import type { Upstream } from './upstream.ts';

export interface Http1RelayOptions {
  readonly upstream: Upstream;
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

  constructor({ upstream, limits, clock, randomness, log, observer }: Http1RelayOptions) {
    const { headerSeconds, bodyIdleSeconds, idleSeconds } = limits;
    const watch = new IdleWatch(clock, Math.min(headerSeconds, bodyIdleSeconds, idleSeconds * POOL_IDLE_SHARE));
    const pool = new Http1Pool(upstream, watch, idleSeconds * POOL_IDLE_SHARE);
    const headLimits = { bytes: limits.headerBytes, fields: limits.headerCount };
    this.#context = { pool, limits, headLimits, watch, clock, randomness, log, observer };
  }

  accept(accepted: Accepted): void {
    if (accepted.channel.isClosed) return;
    this.#connections.add(new Http1Connection(accepted, this.#context, this.#closed));
  }

  drain(): void {
    for (const connection of this.#connections) connection.retire('draining');
  }

  close(): void {
    for (const connection of this.#connections) connection.breakOff(new Refusal('draining'));
    this.#context.pool.close();
  }

  readonly #closed = (connection: Http1Connection): void => void this.#connections.delete(connection);
}
