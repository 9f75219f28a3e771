/**
 * citadel as the source of identities: sends token and CSR, reads the answer, watches bundles, and tells which one is in use.
 * The token is read anew for every call. Nothing is verified or kept here; see identity-store.ts.
 */

import {
  type AcknowledgementBody,
  type CertificateAnswer,
  type CertificateRequestBody,
  readCertificateAnswer,
} from '../../shared/api/messages.ts';
import type { Clock } from '../../shared/clock/clock.ts';
import { codeInProblem } from '../../shared/errors/problem.ts';
import { Refusal } from '../../shared/errors/refusal.ts';
import type { Exchange } from '../../shared/http/bounded-request.ts';
import type { Log } from '../../shared/log/log.ts';
import { decodePem, encodePem } from '../../shared/x509/pem.ts';
import type { IdentityMetrics } from '../telemetry/identity-metrics.ts';
import { readBundleStream } from './bundle-stream.ts';
import type { CitadelConnection } from './citadel-connection.ts';
import { clockSkewMs } from './clock-skew.ts';
import type { IdentitySource, IssuedMaterial, OnBundle } from './identity-source.ts';
import type { TokenFile } from './token-file.ts';

export interface CitadelSourceOptions {
  readonly connection: CitadelConnection;
  readonly token: TokenFile;
  /** Seconds; none: citadel's default. */
  readonly certificateSeconds?: number | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: IdentityMetrics;
}

const JSON_TYPE = 'application/json';
/** Longest Retry-After that is believed: seconds. */
const LONGEST_RETRY_AFTER = 300;

export class CitadelSource implements IdentitySource {
  readonly #options: CitadelSourceOptions;

  constructor(options: CitadelSourceOptions) {
    this.#options = options;
  }

  async obtain(csr: Buffer, signal: AbortSignal): Promise<IssuedMaterial> {
    const { clock, certificateSeconds: ttlSeconds } = this.#options;
    const body: CertificateRequestBody = {
      csr: encodePem('CERTIFICATE REQUEST', csr),
      ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
    };
    const sentAt = clock.now();
    const exchange = await this.#post('/v1/certificates', body, signal);
    const receivedAt = clock.now();
    if (exchange.status !== 201) throw refusalIn(exchange);
    const answer = readCertificateAnswer(jsonIn(exchange.body));
    if (!answer) throw new Refusal('citadel_answer_invalid', 'not the JSON of a certificate');
    this.#options.metrics.clockSkew.set(
      [],
      clockSkewMs({ sentAt, receivedAt, serverTime: Date.parse(answer.serverTime) }) / 1000,
    );
    return materialOf(answer);
  }

  async watchBundles(onBundle: OnBundle, signal: AbortSignal): Promise<void> {
    const { clock, connection, log } = this.#options;
    const request = { method: 'GET', path: '/v1/watch', headers: await this.#headers() } as const;
    const opened = await connection.stream(request, signal);
    if ('refused' in opened) throw refusalIn(opened.refused);
    await readBundleStream(opened.body, { clock, log, signal }, onBundle);
  }

  async acknowledge(version: number, signal: AbortSignal): Promise<void> {
    const body: AcknowledgementBody = { version };
    const exchange = await this.#post('/v1/acknowledgements', body, signal);
    if (exchange.status !== 204) throw refusalIn(exchange);
  }

  async close(): Promise<void> {
    await this.#options.connection.close();
  }

  async #post(path: string, body: object, signal: AbortSignal): Promise<Exchange> {
    const headers = await this.#headers();
    return this.#options.connection.exchange({ method: 'POST', path, headers, body: JSON.stringify(body) }, signal);
  }

  async #headers(): Promise<Record<string, string>> {
    const { text } = await this.#options.token.read();
    return { authorization: `Bearer ${text}`, 'content-type': JSON_TYPE, accept: `${JSON_TYPE}, application/x-ndjson` };
  }
}

function materialOf({ certificateChain, trustBundle, spiffeId, receipt }: CertificateAnswer): IssuedMaterial {
  const derOf = (pem: string): Buffer => decodePem(pem, 'CERTIFICATE', 1)[0]!;
  try {
    return { chain: certificateChain.map(derOf), authorities: trustBundle.map(derOf), spiffeId, entry: receipt.entry };
  } catch (error) {
    throw new Refusal('citadel_answer_invalid', { detail: 'a certificate is not one PEM block', cause: error });
  }
}

/** A problem body carries the code. Whatever else is not success comes from something in between. */
function refusalIn({ status, headers, body }: Exchange): Refusal {
  const code = codeInProblem(jsonIn(body));
  const retryAfterSeconds = retryAfterIn(headers['retry-after']);
  const options = {
    detail: `citadel answered ${status}`,
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  };
  return new Refusal(code ?? 'citadel_answer_invalid', options);
}

/** RFC 9110 §10.2.3, in seconds only: that is what citadel sends. */
function retryAfterIn(header: string | string[] | undefined): number | undefined {
  if (typeof header !== 'string' || !/^\d{1,6}$/.test(header)) return undefined;
  return Math.min(Number(header), LONGEST_RETRY_AFTER);
}

function jsonIn(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined; // not JSON: the readers refuse it as they refuse any other shape
  }
}
