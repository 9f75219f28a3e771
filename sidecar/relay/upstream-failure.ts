/** From what went wrong on the way to the destination to a code, and to the status that a gateway answers. Pure. */
import { Refusal, type RefusalCode } from '../../shared/errors/refusal.ts';
import { MALFORMED } from './answer-rules.ts';
import type { Upstream } from './upstream.ts';

const RESET: Readonly<Record<Upstream['kind'], RefusalCode>> = { app: 'app_reset', peer: 'upstream_reset' };

/** The connection existed before this request, and its other end was closed before a byte of an answer came. */
const CLOSED_BEFORE: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE']);

/** RFC 9110 §9.2.2. */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

export function refusalOfUpstream(error: Error, from: Upstream['kind']): Refusal {
  if (error instanceof Refusal) return error;
  const { code = error.message } = error as NodeJS.ErrnoException;
  if (code.startsWith('HPE_')) return new Refusal(MALFORMED[from], { detail: code, cause: error });
  return new Refusal(RESET[from], { detail: code, cause: error });
}

/** RFC 9110 §15.6: whatever a gateway could not do is a 5xx of its own; the code says what it was. */
export function gatewayStatus({ status }: Refusal): number {
  return status >= 500 ? status : 502;
}

export interface FailedCall {
  readonly method: string;
  readonly hasBody: boolean;
  /** Whether it went out on a connection that an earlier request had used. */
  readonly reused: boolean;
  /** Whether anything of an answer has come, an interim one included. */
  readonly heard: boolean;
}

/**
 * RFC 9110 §9.2.2, RFC 9112 §9.3.1: a server may close an idle connection at the moment it is used again. Such a
 * request may be repeated once when repeating cannot do anything twice; any other failure is told.
 */
export function mayRepeat(error: Error, { method, hasBody, reused, heard }: FailedCall): boolean {
  const { code = '' } = error as NodeJS.ErrnoException;
  return reused && !heard && !hasBody && IDEMPOTENT.has(method) && CLOSED_BEFORE.has(code);
}
