/**
 * A thin client of the Kubernetes API: one JSON request, one JSON answer, both bounded. Our own token is read
 * again for every request, since kubelet replaces it; the server is always verified. It knows no resources and
 * no watches, repeats nothing and judges no status.
 */
import { readFile } from 'node:fs/promises';
import type { Clock } from '../../shared/clock/clock.ts';
import { boundedRequest, ExchangeFailure } from '../../shared/http/bounded-request.ts';
import { CaFilePool } from '../../shared/http/ca-file-pool.ts';
import type { HttpPool } from '../../shared/http/undici.ts';
import type { ApiServerAddress } from './api-server-address.ts';
import { retryAfterMs } from './retry-after.ts';

export interface KubernetesClientOptions extends ApiServerAddress {
  readonly clock: Clock;
  /** Milliseconds for one request with its answer. */
  readonly timeoutMs?: number;
  /** Largest answer: bytes. */
  readonly mostBytes?: number;
  readonly connections?: number;
}

export interface KubernetesAnswer {
  readonly status: number;
  /** Parsed JSON; undefined when the body is empty or not JSON. */
  readonly body: unknown;
  /** Milliseconds, when the server asked for it. */
  readonly retryAfterMs: number | undefined;
}

/** There is no answer. The message is fit for a log. */
export class KubernetesUnavailable extends Error {
  readonly reason: 'unreachable' | 'timeout' | 'too-large' | 'credentials';

  constructor(reason: KubernetesUnavailable['reason'], message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'KubernetesUnavailable';
    this.reason = reason;
  }
}

/** The one method that the rest of citadel uses. */
export interface KubernetesApi {
  /** @throws {KubernetesUnavailable}, or the reason of `signal` */
  request(method: 'GET' | 'POST', path: string, body?: object, signal?: AbortSignal): Promise<KubernetesAnswer>;
  close(): Promise<void>;
}

export function createKubernetesClient(options: KubernetesClientOptions): KubernetesApi {
  const { url, caFile, tokenFile, clock, timeoutMs = 5000, mostBytes = 1 << 20, connections = 50 } = options;
  const pool = new CaFilePool({ origin: url, clock, connections, ...(caFile === undefined ? {} : { caFile }) });
  return {
    async request(method, path, body, signal) {
      const headers = await headersFor(tokenFile, body);
      const request = { method, path, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
      const limits = { clock, timeoutMs, mostBytes, ...(signal === undefined ? {} : { signal }) };
      try {
        const { status, headers: answered, body: bytes } = await boundedRequest(await poolOf(pool), request, limits);
        return { status, body: parsed(bytes), retryAfterMs: retryAfterMs(answered['retry-after'], clock.now()) };
      } catch (error) {
        throw asUnavailable(error);
      }
    },
    close: () => pool.close(),
  };
}

async function poolOf(pool: CaFilePool): Promise<HttpPool> {
  try {
    return await pool.current();
  } catch (error) {
    throw new KubernetesUnavailable(
      'credentials',
      `the API server cannot be reached safely: ${(error as Error).message}`,
      error,
    );
  }
}

function asUnavailable(error: unknown): unknown {
  return error instanceof ExchangeFailure ? new KubernetesUnavailable(error.kind, error.message, error) : error;
}

async function headersFor(tokenFile: string | undefined, body: object | undefined): Promise<Record<string, string>> {
  const token = await readToken(tokenFile);
  return {
    accept: 'application/json',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  };
}

async function readToken(tokenFile: string | undefined): Promise<string | undefined> {
  if (tokenFile === undefined) return undefined;
  try {
    const token = (await readFile(tokenFile, 'utf8')).trim();
    // A line break inside would end the header; undici refuses it with words that quote the value.
    if (!/^[\x21-\x7e]+$/.test(token)) throw new Error('it does not hold one token');
    return token;
  } catch (error) {
    throw new KubernetesUnavailable(
      'credentials',
      `our own token file cannot be used: ${(error as Error).message}`,
      error,
    );
  }
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    // A proxy in between answers in HTML; the status then says all there is.
    return undefined;
  }
}
