/**
 * The one door to undici. Only its pool and its `request` are loaded: the whole package takes twice as long to
 * import (55 ms against 25 ms, a good part of a start), mostly for `fetch`, WebSocket and caches that nobody here uses.
 * Every pool that leaves here verifies its server, speaks HTTP/1.1 and never resumes a TLS session.
 */
import type { Dispatcher, Pool as UndiciPool } from 'undici';
import request from 'undici/lib/api/api-request.js';
import Pool from 'undici/lib/dispatcher/pool.js';

export type HttpRequest = Dispatcher.RequestOptions;
export type HttpResponse = Dispatcher.ResponseData;

/** Connections to one origin. Has exactly the methods that work without the rest of undici. */
export interface HttpPool {
  request(options: HttpRequest): Promise<HttpResponse>;
  /** Lets requests in flight finish. */
  close(): Promise<void>;
  /** Ends requests in flight. */
  destroy(reason?: Error): Promise<void>;
}

export interface HttpPoolOptions {
  /** PEM of the authorities to trust instead of Node's own list; only read for https. */
  readonly ca?: string | readonly string[];
  /** The most connections; none: as many as there are requests. */
  readonly connections?: number;
  /** Milliseconds for TCP and TLS together. */
  readonly connectTimeoutMs?: number;
  /** Milliseconds that an idle connection is kept. */
  readonly keepAliveMs?: number;
  /** 1.3 between our own parts; 1.2 (the default) for servers of others. */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3';
}

/** @param origin scheme, host and port: `https://10.96.0.1:443` */
export function openPool(origin: string, options: HttpPoolOptions = {}): HttpPool {
  const { ca, connections, connectTimeoutMs = 5000, keepAliveMs = 30_000, minVersion = 'TLSv1.2' } = options;
  const settings: UndiciPool.Options = {
    allowH2: false,
    // A resumed session would keep what an earlier handshake verified: an expired or withdrawn certificate.
    maxCachedSessions: 0,
    connectTimeout: connectTimeoutMs,
    keepAliveTimeout: keepAliveMs,
    // Said aloud, so that NODE_TLS_REJECT_UNAUTHORIZED in the environment cannot turn it off.
    connect: { rejectUnauthorized: true, minVersion, ...(ca === undefined ? {} : { ca: [ca].flat() }) },
    ...(connections === undefined ? {} : { connections }),
  };
  const pool = new Pool(origin, settings);
  return {
    request: (wanted) => request.call(pool, wanted),
    close: () => pool.close(),
    destroy: (reason = new Error('the pool was destroyed')) => pool.destroy(reason),
  };
}
