/**
 * One HTTP exchange that ends: within a time, within a number of bytes, or when the caller no longer wants it.
 * It reads the whole body, judges no status, and repeats nothing.
 */
import type { Clock } from '../clock/clock.ts';
import type { HttpPool, HttpRequest } from './undici.ts';

export interface ExchangeLimits {
  readonly clock: Clock;
  /** Milliseconds from the call to the last byte of the body. */
  readonly timeoutMs: number;
  /** Largest body that is read: bytes. */
  readonly mostBytes: number;
  readonly signal?: AbortSignal;
}

export interface Exchange {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export type ExchangeFailureKind = 'unreachable' | 'timeout' | 'too-large';

/** Why there is no answer. Its message is fit for a log: it names host and cause, never a header or a body. */
export class ExchangeFailure extends Error {
  readonly kind: ExchangeFailureKind;

  constructor(kind: ExchangeFailureKind, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'ExchangeFailure';
    this.kind = kind;
  }
}

/** @throws {ExchangeFailure}, or the reason of `signal` when that was aborted */
export async function boundedRequest(pool: HttpPool, request: HttpRequest, limits: ExchangeLimits): Promise<Exchange> {
  const { clock, timeoutMs, mostBytes, signal } = limits;
  signal?.throwIfAborted();
  const ended = new AbortController();
  const onAbort = (): void => ended.abort(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  using _deadline = clock.after(timeoutMs, () =>
    ended.abort(new ExchangeFailure('timeout', `no answer within ${timeoutMs} ms`)),
  );
  try {
    const { statusCode, headers, body } = await pool.request({ ...request, signal: ended.signal });
    return { status: statusCode, headers, body: await readUpTo(body, mostBytes) };
  } catch (error) {
    if (ended.signal.aborted) throw ended.signal.reason;
    if (error instanceof ExchangeFailure) throw error;
    throw new ExchangeFailure('unreachable', causeOf(error), error);
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

async function readUpTo(body: AsyncIterable<Buffer>, mostBytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of body) {
    size += part.length;
    // Leaving the loop destroys the stream, and with it the connection.
    if (size > mostBytes) throw new ExchangeFailure('too-large', `the answer has more than ${mostBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts, size);
}

/** An AggregateError (several addresses tried) has no text of its own: its first part speaks for it. */
function causeOf(error: unknown): string {
  const told = error instanceof AggregateError ? error.errors[0] : error;
  if (!(told instanceof Error)) return String(told);
  const code = (told as NodeJS.ErrnoException).code;
  return code === undefined || told.message.includes(code) ? told.message : `${code}: ${told.message}`;
}
