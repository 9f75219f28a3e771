/**
 * Upgrades (WebSocket): http-proxy makes the request, answers the 101 and joins the two sockets. Its input and
 * output are ours: heads are scrubbed like those of any request, an answer that is no upgrade is forwarded as the
 * plain answer it is, and both sockets end together. Upgrades to HTTP/2 are never forwarded.
 */
import type { ClientRequest, IncomingMessage } from 'node:http';
import type HttpProxy from 'http-proxy';
import { Refusal } from '../../shared/errors/refusal.ts';
import type { HttpConnection } from './http-connection.ts';
import type { HttpContext } from './http-context.ts';
import { hardenedHttpProxy } from './http-proxy-hardened.ts';
import { tokens } from './raw-headers.ts';
import { bodyFollows } from './request-rules.ts';
import { UpgradeAttempt } from './upgrade-attempt.ts';

/** What may be switched to. h2c would carry requests past every rule here. */
const FORWARDED: ReadonlySet<string> = new Set(['websocket']);

/** @returns the protocol, when the request is one that may switch to it; otherwise Upgrade is ignored (RFC 9110 §7.8) */
export function wantedUpgrade({ method, httpVersion, headers }: IncomingMessage): string | undefined {
  const { upgrade = '', 'content-length': length, 'transfer-encoding': coding } = headers;
  const [protocol, ...others] = tokens(upgrade);
  if (protocol === undefined || others.length > 0 || !FORWARDED.has(protocol)) return undefined;
  // RFC 6455 §4.1: a GET of HTTP/1.1; one with a body is refused by a rule.
  if (method !== 'GET' || httpVersion !== '1.1') return undefined;
  return bodyFollows(length === undefined ? [] : [length], coding === undefined ? [] : [coding]) ? undefined : protocol;
}

export class UpgradeForward {
  readonly #context: HttpContext;
  readonly #attempts = new WeakMap<IncomingMessage, UpgradeAttempt>();
  #loaded: HttpProxy | undefined;

  constructor(context: HttpContext) {
    this.#context = context;
  }

  /** Takes over the connection, which carries nothing else. */
  forward(connection: HttpConnection, request: IncomingMessage, head: Buffer): void {
    const attempt = new UpgradeAttempt(this.#context, connection, request);
    if (!attempt.begin()) return;
    this.#attempts.set(request, attempt);
    // http-proxy sees nothing of the head but what makes it take the request for an upgrade.
    request.headers = { upgrade: attempt.protocol, connection: 'Upgrade' };
    const { fresh: agent } = this.#context.pool;
    const options = { agent, target: TARGET, toProxy: true };
    try {
      this.#proxy().ws(request, connection.socket, head, options, (error) => attempt.fail(error));
      attempt.standBetween();
    } catch (error) {
      // node:http refuses to write some bytes that its parser reads.
      attempt.fail(
        new Refusal('http_malformed', { detail: (error as NodeJS.ErrnoException).code ?? '', cause: error }),
      );
    }
  }

  #proxy(): HttpProxy {
    if (this.#loaded) return this.#loaded;
    const proxy = hardenedHttpProxy({});
    proxy.on('proxyReqWs', (call: ClientRequest, request: IncomingMessage) =>
      this.#attempts.get(request)?.prepare(call),
    );
    this.#loaded = proxy;
    return proxy;
  }
}

/** The agent dials; this only satisfies http-proxy. */
const TARGET = { protocol: 'http:', host: 'upstream', hostname: 'upstream', port: '80', path: '' };
