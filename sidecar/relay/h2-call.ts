/** What was seen of one call in an HTTP/2 connection, from its request to the end of its answer. It ends nothing by itself. */
import type { ServedRequest } from '../telemetry/served-request.ts';
import type { Field } from '../tunnel/hpack-tables.ts';
import { grpcStatusOf, isGrpcType } from './grpc-status.ts';
import { isRequestId, REQUEST_ID_NAME } from './request-id.ts';

/** Characters of a path and of a method that go into a log, as with HTTP/1.1. */
const MOST_PATH = 512;
const MOST_METHOD = 32;
/** RFC 9113 §8.3.2. */
const STATUS = /^[1-5]\d\d$/;

/** How a call ended, when not by the end of its answer. */
export interface CallEnd {
  readonly refusal: string;
  readonly callerLeft: boolean;
}

export class H2Call {
  readonly #startedAt: number;
  #method = '';
  #path = '';
  #requestId = '';
  #isGrpc = false;
  #status = 0;
  #grpcStatus = '';
  requestBytes = 0;
  answerBytes = 0;

  constructor(request: readonly Field[], startedAt: number) {
    this.#startedAt = startedAt;
    for (const [name, value] of request) {
      if (name === ':method') this.#method = bounded(value, MOST_METHOD);
      else if (name === ':path') this.#path = bounded(withoutQuery(value), MOST_PATH);
      else if (name === 'content-type') this.#isGrpc = isGrpcType(value);
      else if (name === REQUEST_ID_NAME && isRequestId(value)) this.#requestId = value;
    }
  }

  /** A header list of the answer: interim, the head, the trailers, or a head that is trailers too. */
  answered(fields: readonly Field[], ends: boolean): void {
    for (const [name, value] of fields) {
      if (name === ':status') this.#answers(value);
      // An error page of whatever stands before the server does not make a gRPC call another one.
      else if (name === 'content-type') this.#isGrpc ||= isGrpcType(value);
      else if (name === 'grpc-status' && ends) this.#grpcStatus = grpcStatusOf(value);
    }
  }

  served(now: number, { refusal, callerLeft }: CallEnd, who: Pick<ServedRequest, 'peer' | 'own'>): ServedRequest {
    return {
      requestId: this.#requestId,
      method: this.#method,
      path: this.#path,
      protocol: this.#isGrpc ? 'grpc' : 'http',
      status: this.#status,
      grpcStatus: this.#isGrpc ? this.#grpcStatus : '',
      refusal,
      callerLeft,
      durationMs: now - this.#startedAt,
      requestBytes: this.requestBytes,
      answerBytes: this.answerBytes,
      peer: who.peer,
      own: who.own,
    };
  }

  /** RFC 9110 §15.2: an interim answer is followed by another one. */
  #answers(status: string): void {
    if (this.#status === 0 && STATUS.test(status) && !status.startsWith('1')) this.#status = Number(status);
  }
}

/** Queries carry secrets. */
function withoutQuery(path: string): string {
  const end = path.indexOf('?');
  return end < 0 ? path : path.slice(0, end);
}

/** A copy: a slice would keep the whole text alive as long as the call. */
function bounded(text: string, most: number): string {
  return text.length <= most ? text : Buffer.from(text.slice(0, most), 'latin1').toString('latin1');
}
