/**
 * What node:http could not read as a request: answered by hand with the same problem details, because no
 * response object exists then. What the caller still sends is thrown away for a moment, so that it gets to read
 * the answer instead of a reset.
 */

import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../../shared/clock/clock.ts';
import { PROBLEM_TYPE, problemOf } from '../../shared/errors/problem.ts';
import { Refusal, type RefusalCode } from '../../shared/errors/refusal.ts';

const CODES: Readonly<Record<string, RefusalCode>> = {
  HPE_HEADER_OVERFLOW: 'request_headers_too_large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'request_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
};

const LINGER_MS = 1_000;
const MOST_DISCARDED = 4 << 20;

/** @returns undefined when the caller has just gone: nothing was asked, nothing is to be answered */
export function refusalOf(error: NodeJS.ErrnoException): Refusal | undefined {
  if (error.code === 'ECONNRESET' || error.code === 'EPIPE') return undefined;
  return new Refusal(CODES[error.code ?? ''] ?? 'request_malformed', `not HTTP: ${error.code ?? error.name}`);
}

export function answerByHand(socket: Socket, refusal: Refusal, requestId: string, clock: Clock): void {
  const body = JSON.stringify(problemOf(refusal));
  const head = [
    `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}`,
    `content-type: ${PROBLEM_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${requestId}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  discardForAMoment(socket, clock);
}

function discardForAMoment(socket: Socket, clock: Clock): void {
  let discarded = 0;
  const timer = clock.after(LINGER_MS, () => socket.destroy());
  socket.removeAllListeners('data');
  socket.on('data', (chunk: Buffer) => {
    discarded += chunk.length;
    if (discarded > MOST_DISCARDED) socket.destroy();
  });
  socket.on('error', () => socket.destroy());
  socket.once('close', () => timer.cancel());
  socket.resume();
}
