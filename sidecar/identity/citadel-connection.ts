/**
 * The way to citadel: HTTPS with TLS 1.3 under the authorities of `caFile`, which is read again for every exchange
 * because an authority is replaced while sidecars run. Node's own check ties the certificate to the host of the URL.
 * Nothing is sent before both hold; no session is resumed, no redirect followed. It knows no tokens and no calls.
 */
import type { Clock } from '../../shared/clock/clock.ts';
import { Refusal } from '../../shared/errors/refusal.ts';
import { boundedRequest, type Exchange, ExchangeFailure } from '../../shared/http/bounded-request.ts';
import { type HttpPool, type HttpResponse, openPool } from '../../shared/http/undici.ts';
import { decodePem, encodePem, PemError } from '../../shared/x509/pem.ts';
import { readSmallFile, SmallFileError } from './small-file.ts';

export interface CitadelConnectionOptions {
  /** Origin: scheme, host and port. */
  readonly url: string;
  /** PEM with the roots of citadel. */
  readonly caFile: string;
  readonly clock: Clock;
}

export interface CitadelRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Success, or the whole of an answer that is none. */
export type OpenedStream = { readonly body: HttpResponse['body'] } | { readonly refused: Exchange };

/** Milliseconds for one exchange, from connecting to the last byte. */
const EXCHANGE_MS = 10_000;
const CONNECT_MS = 5_000;
/** A chain, a bundle and a receipt have some 10 KiB. */
const MOST_ANSWER_BYTES = 256 * 1024;
/** Of an answer that is no stream: enough for the code in it. */
const MOST_PROBLEM_BYTES = 16 * 1024;
const MOST_AUTHORITIES = 64;
/** Of the file that holds them. */
const MOST_FILE_BYTES = 1024 * 1024;
/** One watch stream, one exchange, one acknowledgement. */
const MOST_CONNECTIONS = 4;

export class CitadelConnection {
  readonly #options: CitadelConnectionOptions;
  #pool: HttpPool | undefined;
  #ca = '';
  #closed = false;

  constructor(options: CitadelConnectionOptions) {
    this.#options = options;
  }

  /** @throws {Refusal} citadel_unreachable, citadel_untrusted, file_unreadable; or the signal's reason */
  async exchange(request: CitadelRequest, signal: AbortSignal): Promise<Exchange> {
    const pool = await this.#current();
    const limits = { clock: this.#options.clock, timeoutMs: EXCHANGE_MS, mostBytes: MOST_ANSWER_BYTES, signal };
    try {
      return await boundedRequest(pool, { ...request }, limits);
    } catch (error) {
      signal.throwIfAborted();
      throw refusalOf(error);
    }
  }

  /**
   * An answer whose body does not end by itself: `signal` counts until it begins, then the caller bounds and ends it.
   * What is no success is read here, within the time of an exchange.
   */
  async stream(request: CitadelRequest, signal: AbortSignal): Promise<OpenedStream> {
    const pool = await this.#current();
    signal.throwIfAborted();
    const started = new AbortController();
    const onAbort = (): void => started.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    using _deadline = this.#options.clock.after(EXCHANGE_MS, () =>
      started.abort(new Refusal('citadel_unreachable', 'no answer in time')),
    );
    try {
      const wanted = { ...request, signal: started.signal, headersTimeout: 0, bodyTimeout: 0 };
      const { statusCode: status, headers, body } = await pool.request(wanted);
      if (status === 200) return { body };
      return { refused: { status, headers, body: await beginningOf(body) } };
    } catch (error) {
      signal.throwIfAborted();
      throw started.signal.aborted ? started.signal.reason : refusalOf(error);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#pool?.destroy();
  }

  async #current(): Promise<HttpPool> {
    const ca = await this.#authorities();
    // Closed while the file was read: a pool opened now would be nobody's to close.
    if (this.#closed) throw new Refusal('citadel_unreachable', 'the connection is closed');
    if (this.#pool && ca === this.#ca) return this.#pool;
    const outdated = this.#pool;
    this.#ca = ca;
    this.#pool = openPool(this.#options.url, {
      ca,
      minVersion: 'TLSv1.3',
      connections: MOST_CONNECTIONS,
      connectTimeoutMs: CONNECT_MS,
    });
    // At once, the watch stream included: what was opened under the old authorities is no longer believed.
    void outdated?.destroy(new Refusal('citadel_unreachable', 'citadel.caFile has changed'));
    return this.#pool;
  }

  async #authorities(): Promise<string> {
    const { caFile } = this.#options;
    try {
      const blocks = decodePem(await readSmallFile(caFile, MOST_FILE_BYTES), 'CERTIFICATE', MOST_AUTHORITIES);
      return blocks.map((der) => encodePem('CERTIFICATE', der)).join('');
    } catch (error) {
      if (!(error instanceof PemError || error instanceof SmallFileError)) throw error;
      throw new Refusal('file_unreadable', { detail: `citadel.caFile ${caFile} (${error.message})`, cause: error });
    }
  }
}

async function beginningOf(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of body) {
    parts.push(part);
    size += part.length;
    if (size > MOST_PROBLEM_BYTES) break; // which destroys the stream, and with it the connection
  }
  return Buffer.concat(parts);
}

function refusalOf(error: unknown): Refusal {
  const cause = error instanceof ExchangeFailure ? error.cause : error;
  const detail = error instanceof Error ? error.message : String(error);
  return new Refusal(isVerdictOnServer(codeOf(cause)) ? 'citadel_untrusted' : 'citadel_unreachable', {
    detail,
    cause: error,
  });
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
}

/**
 * Whether TLS failed rather than the network. Errno names have no underscore but for those of the resolver, and
 * undici's own begin with UND_; every other name is OpenSSL's or Node's judgement of the server.
 */
function isVerdictOnServer(code: string): boolean {
  return code.includes('_') && !/^(EAI_|UND_)/.test(code);
}
