/**
 * One answer on its way to the caller: interim heads, head, body. The bytes of the body stay as they are; only a
 * caller of HTTP/1.0, who knows no chunks, gets them without their framing.
 */

import { type FieldNames, NO_NAMES } from '../../shared/http1/field-names.ts';
import type { RequestHead, ResponseHead } from '../../shared/http1/head.ts';
import { HeadReader } from '../../shared/http1/head-reader.ts';
import { malformed } from '../../shared/http1/http1-error.ts';
import { checkStatusLine, parseResponseHead } from '../../shared/http1/response-head.ts';
import type { HeadBytes } from '../channel/channel.ts';
import { type ConnectionOption, putAnswer } from './http1-answer-text.ts';
import { Http1Body } from './http1-body.ts';
import type { Http1Context } from './http1-context.ts';
import { HeadWriter } from './http1-head-writer.ts';
import { IDENTITY_NAMES } from './identity-headers.ts';

/** Where it goes. */
export interface AnswerCaller {
  writeHead(head: HeadBytes, body: Buffer, from: number, to: number, lent: boolean, more: boolean): boolean;
  write(bytes: Buffer, lent: boolean, more: boolean): boolean;
  /** What this answer has to say of the connection. */
  connectionOption(answer: ResponseHead): ConnectionOption;
}

const NOTHING = Buffer.alloc(0);
/** Of all answers: each is written as soon as it is put together. */
const WRITER = new HeadWriter();

export class Http1Answer {
  /** Of the final answer, when it has been sent on. */
  head: ResponseHead | undefined;
  /** Anything of an answer has come. */
  isHeard = false;
  /** The caller was told to go on with its body (RFC 9110 §15.2.1). */
  isContinued = false;
  /** Where in the last bytes that were pushed the answer had ended. */
  excessFrom = 0;
  readonly #context: Http1Context;
  readonly #caller: AnswerCaller;
  #reader: HeadReader;
  readonly #strip: FieldNames;
  readonly #body = new Http1Body();
  #request!: RequestHead;
  #isUnchunked = false;
  #lent = false;
  #more = false;
  #room = true;

  constructor(context: Http1Context, caller: AnswerCaller) {
    this.#context = context;
    this.#caller = caller;
    this.#reader = this.#newReader();
    // An app may not speak in the name of a sidecar. A peer is one, and its refusals are told on.
    this.#strip = context.kind === 'app' ? IDENTITY_NAMES : NO_NAMES;
  }

  get isDone(): boolean {
    return this.head !== undefined && this.#body.isDone;
  }

  /** Of the body that went to the caller. */
  get bytes(): number {
    return this.head === undefined ? 0 : this.#body.bytes;
  }

  /** In the middle of a head. */
  get isWithinHead(): boolean {
    return this.#reader.isWithin;
  }

  /** By the gRPC protocol: a number in the trailers, or in the head of an answer without body. */
  get grpcStatus(): string {
    const status = /^grpc-status:[ \t]*(\d{1,2})[ \t]*\r$/im.exec(this.#body.trailers)?.[1] ?? this.head?.grpcStatus;
    return status !== undefined && /^\d{1,2}$/.test(status) ? status : '';
  }

  begin(request: RequestHead): void {
    this.head = undefined;
    this.isHeard = false;
    this.isContinued = false;
    this.#request = request;
    // An answer before this one was broken off within its head.
    if (this.#reader.isWithin) this.#reader = this.#newReader();
  }

  /**
   * Sends on what has come of the answer.
   * @returns whether the caller has room for more
   * @throws {Http1Error}
   */
  push(bytes: Buffer, lent: boolean, more: boolean): boolean {
    this.#lent = lent;
    this.#more = more;
    this.#room = true;
    let at = 0;
    while (at < bytes.length && !this.isDone) {
      if (this.head) at = this.#sendBody(bytes, at);
      else {
        const end = this.#reader.push(bytes, at);
        this.isHeard = true;
        if (end < 0) return this.#room;
        at = this.#onHead(bytes, end);
      }
    }
    this.excessFrom = at;
    return this.#room;
  }

  /** The destination has ended its direction. @returns whether that is the end of the answer (RFC 9112 §6.3 (8)) */
  end(): boolean {
    if (this.head?.framing.kind !== 'close') return false;
    this.#body.end();
    return true;
  }

  #newReader(): HeadReader {
    return new HeadReader(this.#context.headLimits, { checkStart: checkStatusLine });
  }

  /** @returns the index behind what was taken */
  #onHead(bytes: Buffer, from: number): number {
    const head = parseResponseHead(this.#reader, this.#context.headLimits, this.#strip, this.#request.method);
    // RFC 9110 §15.2.2: nobody asked for another protocol here.
    if (head.status === 101) throw malformed('another protocol than asked for');
    if (head.status < 200) this.#sendInterim(head);
    else return this.#sendHead(head, bytes, from);
    return from;
  }

  /** RFC 9110 §15.2: an interim answer goes on as it is, but never to a client that cannot know it. */
  #sendInterim(head: ResponseHead): void {
    if (this.#request.minor === 0) return;
    if (head.status === 100) {
      // RFC 9110 §10.1.1: a 100 is for who asked for it.
      if (!this.#request.expectsContinue || this.isContinued) return;
      this.isContinued = true;
    }
    if (!this.#caller.writeHead(putAnswer(WRITER, head, '', false), NOTHING, 0, 0, false, false)) this.#room = false;
  }

  #sendHead(head: ResponseHead, bytes: Buffer, from: number): number {
    const { framing } = head;
    const option = this.#caller.connectionOption(head);
    const isChunked = framing.kind === 'chunked';
    this.#isUnchunked = isChunked && this.#request.minor === 0;
    this.#body.begin(framing, this.#isUnchunked ? this.#sendData : undefined);
    putAnswer(WRITER, head, option, isChunked && !this.#isUnchunked);
    const end = this.#isUnchunked ? from : this.#body.take(bytes, from);
    this.head = head;
    const more = this.#more && !this.#body.isDone;
    if (!this.#caller.writeHead(WRITER, bytes, from, end, this.#lent, more)) this.#room = false;
    return end;
  }

  #sendBody(bytes: Buffer, from: number): number {
    const end = this.#body.take(bytes, from);
    if (this.#isUnchunked || end === from) return end;
    const part = from === 0 && end === bytes.length ? bytes : bytes.subarray(from, end);
    if (!this.#caller.write(part, this.#lent, this.#more && !this.#body.isDone)) this.#room = false;
    return end;
  }

  readonly #sendData = (bytes: Buffer, from: number, to: number): void => {
    if (!this.#caller.write(bytes.subarray(from, to), this.#lent, false)) this.#room = false;
  };
}
