/** A refusal as an HTTP answer: problem details (RFC 9457), the code in a header too, so that a log line of the caller can hold it. */
import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { PROBLEM_TYPE, problemOf } from '../../shared/errors/problem.ts';
import type { Refusal } from '../../shared/errors/refusal.ts';
import { REFUSAL_HEADER } from './identity-headers.ts';

export interface RefusalAnswer {
  readonly refusal: Refusal;
  readonly status: number;
  readonly requestId?: string | undefined;
}

/** @param last whether the connection ends with this answer */
export function answerRefusal(response: ServerResponse, answer: RefusalAnswer, last: boolean): void {
  const body = bodyOf(answer);
  if (last) response.shouldKeepAlive = false;
  response.writeHead(answer.status, fieldsOf(answer, body));
  response.end(body);
}

/** For a connection without a request that node:http could answer. The socket is ended, not closed: the caller may still be sending. */
export function answerRefusalRaw(socket: Socket, answer: RefusalAnswer): void {
  const body = bodyOf(answer);
  const fields = fieldsOf(answer, body);
  const lines = [`HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? 'Refused'}`];
  for (let at = 0; at < fields.length; at += 2) lines.push(`${fields[at]}: ${fields[at + 1]}`);
  socket.end(`${lines.join('\r\n')}\r\nConnection: close\r\n\r\n${body}`);
}

function bodyOf({ refusal, status }: RefusalAnswer): string {
  return JSON.stringify({ ...problemOf(refusal), status });
}

function fieldsOf({ refusal, requestId }: RefusalAnswer, body: string): string[] {
  const fields = [
    'Content-Type',
    PROBLEM_TYPE,
    'Content-Length',
    String(Buffer.byteLength(body)),
    REFUSAL_HEADER,
    refusal.code,
  ];
  if (requestId !== undefined) fields.push('X-Request-Id', requestId);
  if (refusal.retryAfterSeconds !== undefined) fields.push('Retry-After', String(refusal.retryAfterSeconds));
  return fields;
}
