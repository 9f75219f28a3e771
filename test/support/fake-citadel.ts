/**
 * A citadel for tests of the sidecar: a real HTTPS server that issues from a test authority, and gives any other
 * answer that a test asks for. It remembers what it was sent. It checks no token.
 */
import { createPublicKey } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TlsOptions } from 'node:tls';
import { systemClock } from '../../shared/clock/clock.ts';
import { encodeBundle, type TrustBundle } from '../../shared/spiffe/trust-bundle.ts';
import { parseCsr } from '../../shared/x509/csr.ts';
import { OID } from '../../shared/x509/oids.ts';
import { decodePem, encodePem } from '../../shared/x509/pem.ts';
import type { TestAuthority } from './test-authority.ts';
import { buildCertificate, USAGE } from './test-certificate.ts';
import { queue } from './tls-peers.ts';

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly token: string;
  readonly body: string;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | object;
}

export interface WatchOfSidecar {
  sendBundle(bundle: TrustBundle, version: number): void;
  send(text: string): void;
  end(): void;
  destroy(): void;
}

export interface FakeCitadelOptions {
  readonly authority: TestAuthority;
  /** Of the serving certificate; the authority's by default. */
  readonly servedBy?: TestAuthority;
  readonly ipAddresses?: readonly string[];
  readonly tls?: TlsOptions;
  readonly port?: number;
}

const HOUR = 3_600_000;

export class FakeCitadel {
  readonly requests: SeenRequest[] = [];
  readonly port: number;
  /** What the next calls get instead of a certificate; empty: certificates. */
  readonly answers: ((csrPem: string) => Answer | Promise<Answer>)[] = [];
  /** What the next acknowledgements get; empty: they are taken. */
  readonly acknowledging: Answer[] = [];
  /** How the next wishes to watch are answered; empty: with a stream. */
  readonly watching: ((response: ServerResponse) => void)[] = [];
  spiffeId = 'spiffe://cluster.local/ns/shop/sa/web';
  lifeMs = HOUR;
  readonly #authority: TestAuthority;
  readonly #server: ReturnType<typeof createServer>;
  readonly #sockets = new Set<Socket>();
  readonly #watches = queue<WatchOfSidecar>();
  readonly #seen = queue<SeenRequest>();

  private constructor(authority: TestAuthority, server: ReturnType<typeof createServer>) {
    this.#authority = authority;
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.on('tlsClientError', (_error, socket) => socket.destroy());
    server.on('request', (request, response) => void this.#take(request, response));
  }

  static async start({
    authority,
    servedBy = authority,
    ipAddresses = ['127.0.0.1'],
    tls = {},
    port = 0,
  }: FakeCitadelOptions): Promise<FakeCitadel> {
    const serving = servedBy.svid({ uri: 'spiffe://cluster.local/ns/citadel-system/sa/citadel', ipAddresses });
    const server = createServer({ cert: serving.chainPem, key: serving.keyPem, minVersion: 'TLSv1.3', ...tls });
    await once(server.listen(port, '127.0.0.1'), 'listening');
    return new FakeCitadel(authority, server);
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  /** The next watch stream that is opened. */
  watch(): Promise<WatchOfSidecar> {
    return this.#watches.take();
  }

  /** The next request that arrives; those that nobody asked for count too. */
  request(): Promise<SeenRequest> {
    return this.#seen.take();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** A good answer, with a certificate for the key of the CSR. */
  issue(csrPem: string, change: Readonly<Record<string, unknown>> = {}): Answer {
    const now = systemClock.now();
    const { spki } = parseCsr(decodePem(csrPem, 'CERTIFICATE REQUEST', 1)[0]!);
    const { name, keys, rootPem } = this.#authority;
    const leaf = buildCertificate({ name, keys }, createPublicKey({ key: spki, format: 'der', type: 'spki' }), {
      uris: [this.spiffeId],
      notBefore: now - 60_000,
      notAfter: now + this.lifeMs,
      keyUsage: [USAGE.digitalSignature],
      extendedKeyUsage: [OID.serverAuth, OID.clientAuth],
    });
    const isoOf = (ms: number): string => new Date(ms).toISOString();
    const body = {
      certificateChain: [encodePem('CERTIFICATE', leaf)],
      trustBundle: [rootPem],
      spiffeId: this.spiffeId,
      notAfter: isoOf(now + this.lifeMs),
      renewAt: isoOf(now + this.lifeMs / 2),
      serverTime: isoOf(now),
      receipt: { entry: this.requests.length, serial: '01' },
    };
    return { status: 201, body: { ...body, ...change } };
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const seen = {
      method: request.method ?? '',
      path: request.url ?? '',
      token: (request.headers.authorization ?? '').replace(/^Bearer /, ''),
      body: Buffer.concat(parts).toString('utf8'),
    };
    this.requests.push(seen);
    this.#seen.put(seen);
    if (seen.path === '/v1/watch') return (this.watching.shift() ?? this.#beginWatch)(response);
    if (seen.path === '/v1/acknowledgements') return reply(response, this.acknowledging.shift() ?? { status: 204 });
    const { csr } = JSON.parse(seen.body) as { csr: string };
    reply(response, await (this.answers.shift() ?? ((pem: string) => this.issue(pem)))(csr));
  }

  readonly #beginWatch = (response: ServerResponse): void => {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    response.flushHeaders();
    const send = (text: string): void => void response.write(text);
    this.#watches.put({
      send,
      sendBundle: (bundle, version) => {
        const { trustDomain } = bundle;
        send(`${JSON.stringify({ type: 'bundle', version, trustDomain, bundle: encodeBundle(bundle) })}\n`);
      },
      end: () => void response.end(),
      destroy: () => void response.destroy(),
    });
  };
}

function reply(response: ServerResponse, { status, headers = {}, body = '' }: Answer): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}

/** A token that says when it ends, signed by nobody. */
export function tokenUntil(expiresAt: number, more: Readonly<Record<string, unknown>> = {}): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return [part({ alg: 'RS256' }), part({ exp: Math.floor(expiresAt / 1000), ...more }), 'c2lnbmF0dXJl'].join('.');
}
