/** One request being answered, and the two ways to end it: JSON, or a refusal as RFC 9457 problem details. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PROBLEM_TYPE, problemOf } from '../../shared/errors/problem.ts';
import type { Refusal } from '../../shared/errors/refusal.ts';

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
  /** Address of the caller, without port. */
  readonly address: string;
}

/** One call of the API. @throws {Refusal} before anything was sent */
export interface Call {
  readonly name: string;
  answer(exchange: Exchange): Promise<void> | void;
}

/** @param body already serialised; ASCII or not, its length is counted in bytes */
export function sendJson({ response, requestId }: Exchange, status: number, body: string): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-request-id': requestId,
  });
  response.end(body);
}

/** Safe to call whatever has been sent already: an answer that has begun is cut, not mixed with another. */
export function sendProblem(
  { response, requestId }: Pick<Exchange, 'response' | 'requestId'>,
  refusal: Refusal,
  headers: Record<string, string> = {},
): void {
  if (response.destroyed) return;
  if (response.headersSent) return void response.destroy();
  const body = JSON.stringify(problemOf(refusal));
  response.writeHead(refusal.status, {
    'content-type': PROBLEM_TYPE,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-request-id': requestId,
    ...(refusal.retryAfterSeconds === undefined
      ? {}
      : { 'retry-after': String(Math.max(1, Math.ceil(refusal.retryAfterSeconds))) }),
    // RFC 9110 §11.6.1: a 401 names the scheme that would be accepted.
    ...(refusal.status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
    ...headers,
  });
  response.end(body);
}
