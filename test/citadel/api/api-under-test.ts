/** The real API server on a real port, with a pipeline that the test plays, and callers that speak raw TLS. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { AcknowledgementCall } from '../../../citadel/api/acknowledgement-call.ts';
import { Admission } from '../../../citadel/api/admission.ts';
import { type ApiLimits, ApiServer, type ServingMaterial } from '../../../citadel/api/api-server.ts';
import { BundleCall } from '../../../citadel/api/bundle-call.ts';
import { CallTable } from '../../../citadel/api/calls.ts';
import { CertificateCall, type CertificateWish, type Issued } from '../../../citadel/api/certificate-call.ts';
import { RefusalLog } from '../../../citadel/api/refusal-log.ts';
import { WatchCall } from '../../../citadel/api/watch-call.ts';
import type { Attested } from '../../../citadel/attest/attestor.ts';
import { BundleWatchers } from '../../../citadel/distribute/bundle-watchers.ts';
import { type CitadelMetrics, createCitadelMetrics } from '../../../citadel/telemetry/citadel-metrics.ts';
import { systemClock, systemRandomness } from '../../../shared/clock/clock.ts';
import { Refusal } from '../../../shared/errors/refusal.ts';
import type { Log, LogFields } from '../../../shared/log/log.ts';
import type { TrustBundle } from '../../../shared/spiffe/trust-bundle.ts';

export interface Line {
  readonly level: string;
  readonly event: string;
  readonly fields: LogFields;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export interface Wishes {
  readonly limits?: Partial<ApiLimits>;
  readonly concurrent?: number;
  readonly answerMs?: number;
  readonly heartbeatMs?: number;
  readonly mostWatchers?: number;
  readonly mostQueuedBytes?: number;
  /** What stands for the pipeline; by default every token `good…` gets a certificate. */
  readonly issue?: (wish: CertificateWish, signal: AbortSignal) => Promise<Issued>;
  readonly tokenLifeMs?: number;
}

const LIMITS: ApiLimits = {
  headerBytes: 16_384,
  headerCount: 64,
  connections: 100,
  handshakeSeconds: 5,
  headerSeconds: 5,
  requestSeconds: 10,
  idleSeconds: 60,
};

export class ApiUnderTest {
  readonly lines: Line[] = [];
  readonly metrics: CitadelMetrics = createCitadelMetrics('test');
  readonly watchers: BundleWatchers;
  readonly server: ApiServer;
  readonly admission: Admission;
  port = 0;
  readonly #listeners = new Set<(line: Line) => void>();

  constructor(wishes: Wishes = {}) {
    const log = this.#log();
    const clock = systemClock;
    this.admission = new Admission(clock, { concurrent: wishes.concurrent ?? 10, answerMs: wishes.answerMs ?? 10_000 });
    this.watchers = new BundleWatchers({
      clock,
      bundle: bundleOf(1),
      mostWatchers: wishes.mostWatchers ?? 10,
      mostQueuedBytes: wishes.mostQueuedBytes ?? 262_144,
      ...(wishes.heartbeatMs === undefined ? {} : { heartbeatMs: wishes.heartbeatMs }),
    });
    const authenticate = async (token: string): Promise<Attested> => attestedBy(token, wishes.tokenLifeMs ?? 600_000);
    const around = { admission: this.admission, mostBodyBytes: 32_768, clock, log, metrics: this.metrics };
    const issue = wishes.issue ?? (async ({ token }: CertificateWish) => issuedTo(attestedBy(token, 600_000)));
    const calls = new CallTable([
      { path: '/v1/certificates', method: 'POST', call: new CertificateCall({ ...around, issue }) },
      { path: '/v1/bundle', method: 'GET', call: new BundleCall(() => BUNDLE) },
      {
        path: '/v1/watch',
        method: 'GET',
        call: new WatchCall({ watchers: this.watchers, admission: this.admission, authenticate }),
      },
      {
        path: '/v1/acknowledgements',
        method: 'POST',
        call: new AcknowledgementCall({ ...around, watchers: this.watchers, authenticate }),
      },
    ]);
    this.server = new ApiServer({
      calls,
      material: servingMaterial(),
      limits: { ...LIMITS, ...wishes.limits },
      clock,
      randomness: systemRandomness,
      log,
      metrics: this.metrics,
      refusals: new RefusalLog(log, clock, this.metrics),
    });
  }

  static async start(wishes: Wishes = {}): Promise<ApiUnderTest> {
    const api = new ApiUnderTest(wishes);
    api.port = (await api.server.listen('127.0.0.1:0')).port;
    return api;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.watchers.drain();
    await this.server.drain(0);
  }

  /** The next log line that fits, or one that was written already. */
  line(fits: (line: Line) => boolean): Promise<Line> {
    const past = this.lines.find(fits);
    if (past) return Promise.resolve(past);
    return new Promise((resolve) => {
      const listener = (line: Line): void => {
        if (!fits(line)) return;
        this.#listeners.delete(listener);
        resolve(line);
      };
      this.#listeners.add(listener);
    });
  }

  /** One request on a connection of its own. */
  ask(
    method: string,
    path: string,
    { headers = {}, body }: { headers?: Record<string, string>; body?: string } = {},
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const options = {
        host: '127.0.0.1',
        port: this.port,
        method,
        path,
        headers,
        ca: servingMaterial().cert,
        agent: false as const,
        servername: 'localhost',
      };
      const request = httpsRequest(options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString(),
          }),
        );
        response.on('error', reject);
      });
      request.on('error', reject);
      request.end(body);
    });
  }

  post(path: string, body: unknown, token = 'good', headers: Record<string, string> = {}): Promise<Answer> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return this.ask('POST', path, {
      headers: {
        ...bearer(token),
        'content-type': 'application/json',
        'content-length': String(Buffer.byteLength(text)),
        ...headers,
      },
      body: text,
    });
  }

  raw(): Promise<RawCaller> {
    return RawCaller.connect(this.port);
  }

  #log(): Log {
    const at =
      (level: string) =>
      (event: string, fields: LogFields = {}): void => {
        const line = { level, event, fields };
        this.lines.push(line);
        for (const listener of [...this.#listeners]) listener(line);
      };
    const log: Log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), child: () => log };
    return log;
  }
}

/** A caller that writes bytes as it likes. */
export class RawCaller {
  readonly socket: TLSSocket;
  readonly closed: Promise<void>;
  received = '';
  #wake: () => void = () => {};

  private constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.received += chunk.toString('latin1');
      this.#wake();
    });
    socket.on('error', () => {}); // a reset is one of the ways to be refused; `closed` tells
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    void this.closed.then(() => this.#wake());
  }

  static connect(port: number, more: { session?: Buffer } = {}): Promise<RawCaller> {
    return new Promise((resolve, reject) => {
      const socket = connect(
        { host: '127.0.0.1', port, ca: servingMaterial().cert, servername: 'localhost', ...more },
        () => resolve(new RawCaller(socket)),
      );
      socket.once('error', reject);
    });
  }

  /** Everything received so far, as soon as it holds `text`. */
  async until(text: string): Promise<string> {
    while (!this.received.includes(text)) {
      if (this.socket.destroyed)
        throw new Error(
          `closed before ${JSON.stringify(text)}; received ${JSON.stringify(this.received.slice(0, 300))}`,
        );
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.received;
  }
}

export function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}

export function codeIn(answer: Answer | string): string {
  const text = typeof answer === 'string' ? answer.slice(answer.indexOf('{')) : answer.text;
  return (JSON.parse(text) as { code: string }).code;
}

/** `good-<pod>` is a token of that pod; everything else is refused. */
function attestedBy(token: string, lifeMs: number): Attested {
  if (!token.startsWith('good')) throw new Refusal('token_signature_invalid', 'not good');
  const pod = token.slice(5) || 'pod-1';
  return {
    method: 'oidc',
    namespace: 'shop',
    serviceAccount: 'web',
    serviceAccountUid: 'sa-uid',
    podName: pod,
    podUid: `uid-${pod}`,
    nodeName: 'node-1',
    tokenId: 'token-id-1',
    tokenExpiresAt: systemClock.now() + lifeMs,
  };
}

const ROOTS = ['-----BEGIN CERTIFICATE-----\nroot\n-----END CERTIFICATE-----\n'];

export function issuedTo(attested: Attested): Issued {
  const notAfter = systemClock.now() + 3_600_000;
  return {
    spiffeId: 'spiffe://test/ns/shop/sa/web',
    certificateChain: ['-----BEGIN CERTIFICATE-----\nleaf\n-----END CERTIFICATE-----\n'],
    trustBundle: ROOTS,
    notAfter,
    renewAt: notAfter - 1_800_000,
    receipt: { entry: 7, serial: 'ab12' },
    keyFingerprint: 'fe98',
    attested,
  };
}

let material: (ServingMaterial & { readonly der: Buffer }) | undefined;

/** Self-signed by openssl, once per process. */
export function servingMaterial(): ServingMaterial & { readonly der: Buffer } {
  if (material) return material;
  const folder = mkdtempSync(join(tmpdir(), 'api-test-'));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const names = 'subjectAltName=DNS:localhost,IP:127.0.0.1';
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      key,
      '-out',
      cert,
      '-days',
      '2',
      '-subj',
      '/CN=test',
      '-addext',
      names,
    ],
    { stdio: 'ignore' },
  );
  const pem = readFileSync(cert, 'utf8');
  material = {
    key: readFileSync(key, 'utf8'),
    cert: pem,
    der: Buffer.from(pem.replaceAll(/-----[A-Z ]+-----|\s/g, ''), 'base64'),
  };
  rmSync(folder, { recursive: true });
  return material;
}

export function bundleOf(sequence: number): TrustBundle {
  return { trustDomain: 'test', sequence, refreshHintSeconds: 300, authorities: [servingMaterial().der] };
}

const BUNDLE = bundleOf(1);
