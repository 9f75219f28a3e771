/**
 * The HTTPS server of the API: TLS 1.3, HTTP/1.1, no client certificate asked, so that a sidecar whose
 * certificate has expired can always come back. Everything is bounded: bytes, fields, connections, times. It
 * knows which call answers which path, and nothing of what a call does.
 */
import { constants } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Socket } from 'node:net';
import type { Clock, Randomness } from '../../shared/clock/clock.ts';
import { asRefusal, Refusal } from '../../shared/errors/refusal.ts';
import type { Log } from '../../shared/log/log.ts';
import { type ListenAddress, listen } from '../../shared/process/listen-address.ts';
import type { CitadelMetrics } from '../telemetry/citadel-metrics.ts';
import { type CallTable, NotAllowed } from './calls.ts';
import { ConnectionLimit } from './connection-limit.ts';
import { type Exchange, sendProblem } from './exchange.ts';
import { answerByHand, refusalOf } from './parse-failure.ts';
import type { RefusalLog } from './refusal-log.ts';
import { repeatedField } from './repeated-field.ts';
import { requestIdOf } from './request-id.ts';

export interface ServingMaterial {
  /** PEM: the leaf, then the intermediates. */
  readonly cert: string;
  readonly key: string;
}

export interface ApiLimits {
  readonly headerBytes: number;
  readonly headerCount: number;
  readonly connections: number;
  readonly handshakeSeconds: number;
  readonly headerSeconds: number;
  readonly requestSeconds: number;
  readonly idleSeconds: number;
}

export interface ApiServerOptions {
  readonly calls: CallTable;
  readonly material: ServingMaterial;
  readonly limits: ApiLimits;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly log: Log;
  readonly metrics: CitadelMetrics;
  readonly refusals: RefusalLog;
}

/** How much a refused request may still send before its connection is cut, bytes. */
const MOST_DISCARDED = 4 << 20;

export class ApiServer {
  readonly #options: ApiServerOptions;
  readonly #server: Server;
  readonly #connections: ConnectionLimit;
  /** The latest answer of each connection. */
  readonly #latest = new WeakMap<Socket, ServerResponse>();
  readonly #answeredByHand = new WeakSet<Socket>();
  #draining = false;

  constructor(options: ApiServerOptions) {
    this.#options = options;
    this.#server = createServer({ ...tlsOptions(options.material), ...httpOptions(options.limits) });
    this.#server.maxHeadersCount = options.limits.headerCount + 1;
    this.#connections = new ConnectionLimit(this.#server, options.limits.connections, options.metrics);
    this.#server.on('request', (request, response) => void this.#answer(request, response));
    this.#server.on('checkExpectation', (request, response) => void this.#answer(request, response));
    this.#server.on('clientError', (error, socket) => this.#onUnreadable(error, socket as Socket));
    this.#server.on('connect', (_request, socket) =>
      this.#refuseByHand(new NotAllowed('GET, HEAD, POST'), socket as Socket),
    );
  }

  listen(address: string): Promise<ListenAddress> {
    return listen(this.#server, address);
  }

  /** New connections get this certificate; those that are open stay as they are. */
  use(material: ServingMaterial): void {
    this.#server.setSecureContext(tlsOptions(material));
  }

  get connections(): number {
    return this.#connections.open;
  }

  /** Accepts nothing new, lets answers finish. @returns false when some had to be cut at the end */
  drain(withinMs: number): Promise<boolean> {
    this.#draining = true;
    return new Promise((resolve) => {
      let cut = false;
      const timer = this.#options.clock.after(withinMs, () => {
        cut = true;
        this.#server.closeAllConnections();
      });
      this.#server.close(() => {
        timer.cancel();
        resolve(!cut);
      });
      this.#server.closeIdleConnections();
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { calls, randomness, metrics } = this.#options;
    const { socket } = request;
    this.#latest.set(socket, response);
    const exchange: Exchange = {
      request,
      response,
      requestId: requestIdOf(request, randomness),
      address: addressOf(socket),
    };
    let name = 'none';
    try {
      this.#check(request);
      const call = calls.find(request.method ?? '', request.url ?? '');
      name = call.name;
      await call.answer(exchange);
    } catch (thrown) {
      if (this.#answeredByHand.has(socket)) return;
      this.#refuse(exchange, name, asRefusal(thrown, 'citadel_internal'));
    }
    metrics.requests.inc([name, String(response.statusCode)]);
    if (this.#draining) response.once('close', () => setImmediate(() => this.#server.closeIdleConnections()));
  }

  #check({ socket, rawHeaders, headers, httpVersion }: IncomingMessage): void {
    if (this.#draining) throw new Refusal('shutting_down', { retryAfterSeconds: 1 });
    if (this.#connections.isOver(socket))
      throw new Refusal('overloaded', { detail: 'too many connections', retryAfterSeconds: 1 });
    if (rawHeaders.length / 2 > this.#options.limits.headerCount)
      throw new Refusal('request_headers_too_large', 'too many fields');
    const repeated = repeatedField(rawHeaders);
    if (repeated !== undefined) throw new Refusal('request_malformed', `${repeated} comes more than once`);
    // RFC 9112 §3.2: an HTTP/1.1 request without Host is malformed.
    if (headers.host === undefined && httpVersion !== '1.0') throw new Refusal('request_malformed', 'no Host');
    // RFC 9110 §10.1.1 knows one expectation.
    if (headers.expect !== undefined && headers.expect.toLowerCase() !== '100-continue')
      throw new Refusal('request_malformed', 'unknown expectation');
  }

  #refuse(exchange: Exchange, call: string, refusal: Refusal): void {
    const { request, response, requestId, address } = exchange;
    this.#options.refusals.note(call === 'certificates' ? 'certificate_refused' : 'request_refused', refusal, {
      call,
      requestId,
      address,
    });
    if (this.#draining || this.#connections.isOver(request.socket)) response.shouldKeepAlive = false;
    if (!request.complete) discard(request);
    sendProblem(exchange, refusal, refusal instanceof NotAllowed ? { allow: refusal.allow } : {});
  }

  #onUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
    const refusal = refusalOf(error);
    if (!refusal || !socket.writable || this.#hasBegun(socket)) socket.destroy();
    else this.#refuseByHand(refusal, socket);
  }

  /** Is there an answer on its way already, or one that waits behind another (HTTP/1.1 pipelining)? */
  #hasBegun(socket: Socket): boolean {
    const latest = this.#latest.get(socket);
    return latest !== undefined && !latest.writableFinished && (latest.headersSent || latest.socket === null);
  }

  #refuseByHand(refusal: Refusal, socket: Socket): void {
    const requestId = requestIdOf(undefined, this.#options.randomness);
    this.#answeredByHand.add(socket);
    this.#options.refusals.note('request_refused', refusal, { call: 'none', requestId, address: addressOf(socket) });
    this.#options.metrics.requests.inc(['none', String(refusal.status)]);
    answerByHand(socket, refusal, requestId, this.#options.clock);
  }
}

function tlsOptions({ cert, key }: ServingMaterial) {
  // No tickets: a resumed session would keep a connection to an old serving certificate alive.
  return {
    cert,
    key,
    minVersion: 'TLSv1.3',
    secureOptions: constants.SSL_OP_NO_TICKET,
    ALPNProtocols: ['http/1.1'],
  } as const;
}

function httpOptions(limits: ApiLimits) {
  return {
    handshakeTimeout: limits.handshakeSeconds * 1000,
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headerSeconds * 1000,
    requestTimeout: limits.requestSeconds * 1000,
    keepAliveTimeout: limits.idleSeconds * 1000,
    connectionsCheckingInterval: 500,
    keepAlive: true,
    keepAliveInitialDelay: 30_000,
    requestCert: false,
    // Checked by us: node:http would answer without a code.
    requireHostHeader: false,
  };
}

/** Reads on, so that the caller gets to read its answer, but not for ever: the time is bounded by requestTimeout. */
function discard(request: IncomingMessage): void {
  let discarded = 0;
  request.on('data', (chunk: Buffer) => {
    discarded += chunk.length;
    if (discarded > MOST_DISCARDED) request.socket.destroy();
  });
  request.on('error', () => request.socket.destroy());
}

function addressOf(socket: Socket): string {
  const address = socket.remoteAddress ?? 'unknown';
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}
