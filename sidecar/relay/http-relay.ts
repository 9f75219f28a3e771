/**
 * Carries HTTP/1.1: node:http's strict parser on one side, its client with a pool on the other, and rules of our
 * own between them. It has no port: listeners hand it connections. It terminates neither gzip nor anything else
 * inside a body.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock, Randomness } from '../../shared/clock/clock.ts';
import { Refusal } from '../../shared/errors/refusal.ts';
import type { Log } from '../../shared/log/log.ts';
import { cutSocket } from './close-socket.ts';
import { HttpConnection } from './http-connection.ts';
import type { HttpContext, HttpObserver } from './http-context.ts';
import { HttpExchange } from './http-exchange.ts';
import type { HttpLimits } from './http-limits.ts';
import { IdleWatch } from './idle-watch.ts';
import type { Accepted, Relay } from './relay.ts';
import { UpgradeForward, wantedUpgrade } from './upgrade-forward.ts';
import type { Upstream } from './upstream.ts';
import { UpstreamPool } from './upstream-pool.ts';

export interface HttpRelayOptions {
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

export class HttpRelay implements Relay {
  readonly #context: HttpContext;
  readonly #server: Server;
  readonly #upgrades: UpgradeForward;
  readonly #connections = new Map<Duplex, HttpConnection>();

  constructor({ upstream, limits, clock, randomness, log, observer }: HttpRelayOptions) {
    const pool = new UpstreamPool(upstream, limits.idleSeconds * POOL_IDLE_SHARE);
    const watch = new IdleWatch(clock, Math.min(limits.bodyIdleSeconds, limits.idleSeconds));
    this.#context = { pool, limits, watch, clock, randomness, log, observer };
    this.#upgrades = new UpgradeForward(this.#context);
    this.#server = this.#parser(limits);
  }

  accept(accepted: Accepted): void {
    const { socket } = accepted;
    if (socket.destroyed) return;
    const connection = new HttpConnection(accepted, this.#context);
    this.#connections.set(socket, connection);
    socket.on('close', () => this.#connections.delete(socket));
    // For upgrades: what was switched to may end its directions one by one. In HTTP a caller that ends its half has
    // left, as nginx and Envoy see it: otherwise nobody would notice when one gives up waiting.
    socket.allowHalfOpen = true;
    this.#server.emit('connection', socket);
  }

  drain(): void {
    for (const connection of this.#connections.values()) connection.retire('draining');
  }

  close(): void {
    this.#server.close();
    for (const { socket } of this.#connections.values()) cutSocket(socket);
    this.#context.pool.close();
  }

  #parser({ headerBytes, headerSeconds, idleSeconds }: HttpLimits): Server {
    const server = createServer({
      httpValidation: 'strict',
      maxHeaderSize: headerBytes,
      headersTimeout: Math.ceil(headerSeconds * 1000),
      requestTimeout: 0, // a large body may take its time; a stalled one is found by the idle watch
      connectionsCheckingInterval: Math.min(1000, Math.ceil((headerSeconds * 1000) / 4)),
      keepAliveTimeout: Math.ceil(idleSeconds * 1000),
      requireHostHeader: false, // one of our rules, so that the refusal has a code
      optimizeEmptyRequests: true,
      shouldUpgradeCallback: (request) => this.#mayUpgrade(request),
    });
    // A number would silently drop the fields beyond it: they are bounded by bytes, and counted by a rule.
    server.maxHeadersCount = 0;
    const onRequest = (request: IncomingMessage, response: ServerResponse): void => this.#onRequest(request, response);
    server.on('request', onRequest).on('checkContinue', onRequest).on('checkExpectation', onRequest);
    server.on('upgrade', (request, socket, head) => this.#onUpgrade(request, socket, head));
    server.on('connect', (_request, socket) => this.#onConnect(socket));
    server.on('clientError', (error, socket) => this.#onBroken(error, socket));
    server.on('timeout', (socket: Socket) => this.#connections.get(socket)?.endIdle());
    // What node:http starts when its own port opens: the watch over slow heads.
    server.emit('listening');
    return server;
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const connection = this.#connections.get(request.socket);
    if (!connection) return void request.socket.destroy();
    connection.add(new HttpExchange(this.#context, connection, request, response));
  }

  /** Only the protocols we know, and only when nothing else is under way on the connection. */
  #mayUpgrade(request: IncomingMessage): boolean {
    const connection = this.#connections.get(request.socket);
    return connection?.idle === true && connection.state !== 'expired' && wantedUpgrade(request) !== undefined;
  }

  #onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const connection = this.#connections.get(socket);
    if (connection) this.#upgrades.forward(connection, request, head);
    else socket.destroy();
  }

  // RFC 9110 §9.3.6: no tunnels through a sidecar.
  #onConnect(socket: Duplex): void {
    const connection = this.#connections.get(socket);
    if (!connection) return void socket.destroy();
    socket.on('error', () => {}); // node:http has let go of the socket; its `close` is all that matters
    if (connection.idle) connection.fail(new Refusal('http_malformed', 'CONNECT'));
    else cutSocket(connection.socket);
  }

  #onBroken(error: Error, socket: Duplex): void {
    const connection = this.#connections.get(socket);
    if (connection) connection.fail(error);
    else socket.destroy();
  }
}
