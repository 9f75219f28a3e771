/**
 * An answer on its way to the caller: head, body, trailers. The framing is made anew for the caller's connection
 * (a length stays a length, everything else is chunked), the bytes are not touched.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Refusal } from '../../shared/errors/refusal.ts';
import { answerHead, checkAnswer, MALFORMED } from './answer-rules.ts';
import { BodyPump } from './body-pump.ts';
import { endToEnd, endToEndTrailers } from './hop-by-hop.ts';
import { isIdentityHeader } from './identity-headers.ts';
import { type RawHeaders, scanHeaders } from './raw-headers.ts';
import type { Upstream } from './upstream.ts';

export interface AnswerEvents {
  readonly moved: () => void;
  /** The whole answer was handed to the caller's connection. */
  readonly ended: () => void;
  /** The destination broke off. */
  readonly failed: (error: Error) => void;
}

export class AnswerForward {
  readonly #answer: IncomingMessage;
  readonly #pump: BodyPump;
  #bytes = 0;
  #ended = false;

  /** @throws {Refusal} app_malformed or upstream_malformed; nothing was written then */
  constructor(answer: IncomingMessage, response: ServerResponse, from: Upstream['kind'], events: AnswerEvents) {
    this.#answer = answer;
    const chunked = writeHead(answer, response, from);
    const moved = (bytes: number): void => {
      this.#bytes += bytes;
      events.moved();
    };
    const ended = (): void => {
      this.#ended = true;
      if (chunked) response.addTrailers(trailersOf(answer));
      response.end();
      events.ended();
    };
    answer.on('error', (error) => {
      if (!this.#ended) events.failed(error);
    });
    this.#pump = new BodyPump(answer, response, { moved, ended });
    // The head goes out with the first piece of the body, or now when there is none yet: it may be all for a while.
    setImmediate(() => {
      if (this.#bytes === 0 && !response.writableEnded && !response.destroyed) response.flushHeaders();
    });
  }

  /** Of the body that went to the caller. */
  get bytes(): number {
    return this.#bytes;
  }

  get isGrpc(): boolean {
    return this.#answer.headers['content-type']?.startsWith('application/grpc') ?? false;
  }

  /** By the gRPC protocol: a number in the trailers, or in the head of an answer without body. */
  get grpcStatus(): string {
    const status = this.#answer.trailers['grpc-status'] ?? this.#answer.headers['grpc-status'];
    return typeof status === 'string' && /^\d{1,2}$/.test(status) ? status : '';
  }

  /** Nothing more goes to the caller. */
  stop(): void {
    if (!this.#ended) this.#pump.stop();
    this.#ended = true;
  }
}

/** The trailers that may go on, of a request or an answer that has been read to its end. */
export function trailersOf(message: IncomingMessage): [string, string][] {
  return endToEndTrailers(message.rawTrailers, isIdentityHeader);
}

/** RFC 9110 §15.2: an interim answer goes on as it is, but never to a client that cannot know it. */
export function forwardInterim(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  raw: RawHeaders,
): void {
  if (request.httpVersion !== '1.1') return;
  response.writeInformation(status, endToEnd(raw, scanHeaders(raw).connectionOptions, isIdentityHeader));
}

/** @returns whether the answer is chunked for the caller and so can carry trailers */
function writeHead(answer: IncomingMessage, response: ServerResponse, from: Upstream['kind']): boolean {
  const scan = checkAnswer(answer, from);
  const { statusCode: status = 0, statusMessage = '' } = answer;
  // RFC 9112 §6.3 (1): these have no body, whatever their head says.
  const bodiless = response.req.method === 'HEAD' || status === 204 || status === 304;
  const chunked = !bodiless && scan.lengths.length === 0 && response.req.httpVersion === '1.1';
  try {
    response.writeHead(status, statusMessage, answerHead(answer, scan, from, chunked));
  } catch (error) {
    // node:http refuses to write some statuses and bytes that its parser reads.
    const { code = '' } = error as NodeJS.ErrnoException;
    throw new Refusal(MALFORMED[from], { detail: code, cause: error });
  }
  return chunked;
}
