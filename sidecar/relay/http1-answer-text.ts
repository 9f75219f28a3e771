/** Heads of answers as they go to the caller: those of the destination, less what belonged to its connection, and our own. Pure. */
import { STATUS_CODES } from 'node:http';
import { PROBLEM_TYPE, problemOf } from '../../shared/errors/problem.ts';
import type { Refusal } from '../../shared/errors/refusal.ts';
import type { ResponseHead } from '../../shared/http1/head.ts';
import type { HeadWriter } from './http1-head-writer.ts';
import { REFUSAL_HEADER } from './identity-headers.ts';

/** What is said of the caller's connection: nothing, that it ends with this answer, or to HTTP/1.0 that it stays. */
export type ConnectionOption = '' | 'close' | 'keep-alive';

/** @returns `into` */
export function putAnswer(
  into: HeadWriter,
  { statusLine, kept }: ResponseHead,
  option: ConnectionOption,
  isChunked: boolean,
): HeadWriter {
  into.begin();
  if (statusLine === '') into.whole(kept);
  else into.text(`${statusLine}\r\n`).fields(kept);
  if (option !== '') into.text(`Connection: ${option}\r\n`);
  return into.text(isChunked ? 'Transfer-Encoding: chunked\r\n\r\n' : '\r\n');
}

export interface RefusalAnswer {
  readonly refusal: Refusal;
  readonly status: number;
  readonly requestId?: string | undefined;
  readonly option: ConnectionOption;
  /** RFC 9110 §9.3.2: only the head of it is sent. */
  readonly isHead?: boolean;
}

/** A refusal as an HTTP answer: problem details (RFC 9457), the code in a header too, so that a log line of the caller can hold it. */
export function refusalText({ refusal, status, requestId, option, isHead = false }: RefusalAnswer): string {
  const body = JSON.stringify({ ...problemOf(refusal), status });
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Refused'}`,
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    `${REFUSAL_HEADER}: ${refusal.code}`,
  ];
  if (requestId !== undefined) lines.push(`X-Request-Id: ${requestId}`);
  if (refusal.retryAfterSeconds !== undefined) lines.push(`Retry-After: ${refusal.retryAfterSeconds}`);
  if (option !== '') lines.push(`Connection: ${option}`);
  // The words of the table may hold more than latin1.
  const text = `${lines.join('\r\n')}\r\n\r\n${isHead ? '' : body}`;
  return Buffer.from(text, 'utf8').toString('latin1');
}
