/** From what went wrong on either side to a code, and to the status that a gateway answers. Pure. */
import { asRefusal, Refusal, type RefusalCode } from '../../shared/errors/refusal.ts';
import { Http1Error } from '../../shared/http1/http1-error.ts';
import type { Upstream } from './upstream.ts';

const MALFORMED: Readonly<Record<Upstream['kind'], RefusalCode>> = { app: 'app_malformed', peer: 'upstream_malformed' };
const RESET: Readonly<Record<Upstream['kind'], RefusalCode>> = { app: 'app_reset', peer: 'upstream_reset' };

/** RFC 9110 §9.2.2. */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/** Of what a caller sent. */
export function refusalOfCaller(thrown: unknown): Refusal {
  if (!(thrown instanceof Http1Error)) return asRefusal(thrown, 'internal_failure');
  const { code, detail } = thrown;
  return new Refusal(code === 'too_large' ? 'http_headers_too_large' : 'http_malformed', { detail, cause: thrown });
}

/** Of what the destination answered. */
export function refusalOfAnswer(thrown: unknown, from: Upstream['kind']): Refusal {
  if (!(thrown instanceof Http1Error)) return asRefusal(thrown, 'internal_failure');
  return new Refusal(MALFORMED[from], { detail: thrown.detail, cause: thrown });
}

/** Of a connection to the destination that ended too early. */
export function refusalOfEnd(failure: Refusal | undefined, from: Upstream['kind']): Refusal {
  if (failure && failure.code !== 'connection_broken') return failure;
  return new Refusal(RESET[from], failure?.detail ?? 'ended');
}

/** Of a call that node:http has made. */
export function refusalOfCall(error: Error, from: Upstream['kind']): Refusal {
  if (error instanceof Refusal) return refusalOfEnd(error, from);
  const { code = error.message } = error as NodeJS.ErrnoException;
  return new Refusal(code.startsWith('HPE_') ? MALFORMED[from] : RESET[from], { detail: code, cause: error });
}

export function malformedAnswer(detail: string, from: Upstream['kind']): Refusal {
  return new Refusal(MALFORMED[from], detail);
}

/**
 * RFC 9110 §15.6: whatever a gateway could not do is a 5xx of its own; the code says what it was. A no by the policy
 * over there is 403 (§15.5.4): nothing has failed, and a client that repeats what failed must not repeat this. That no
 * app said so is told by the header of refusals, which apps cannot set.
 */
export function gatewayStatus({ code, status }: Refusal): number {
  return status >= 500 || code === 'tunnel_forbidden' ? status : 502;
}

/** The destination says itself that it has not looked at it (RFC 9113 §8.7). */
export function isUnprocessed(failure: Refusal | undefined): boolean {
  return failure?.code === 'tunnel_unprocessed';
}

export interface FailedCall {
  readonly method: string;
  readonly hasBody: boolean;
  /** Whether it went out on a connection that an earlier request had used. */
  readonly isReused: boolean;
  /** Whether anything of an answer has come, an interim one included. */
  readonly isHeard: boolean;
}

/**
 * RFC 9110 §9.2.2, RFC 9112 §9.3.1: a server may close an idle connection at the moment it is used again. Such a
 * request may be repeated once when repeating cannot do anything twice; any other failure is told.
 */
export function mayRepeat(failure: Refusal | undefined, { method, hasBody, isReused, isHeard }: FailedCall): boolean {
  if (isHeard || hasBody) return false;
  if (isUnprocessed(failure)) return true;
  return isReused && IDEMPOTENT.has(method) && (failure === undefined || failure.code === 'connection_broken');
}
