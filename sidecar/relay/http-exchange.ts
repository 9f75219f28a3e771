/**
 * One request and its answer. Everything that can end it (either side, a limit, the end of an identity) ends in
 * one place, once, and is told once. It decides nothing itself: the rules stand in request-rules, answer-rules
 * and upstream-failure.
 */
import {
  type Agent,
  type ClientRequest,
  type IncomingMessage,
  request as openRequest,
  type ServerResponse,
} from 'node:http';
import { asRefusal, Refusal } from '../../shared/errors/refusal.ts';
import { AnswerForward, forwardInterim } from './answer-forward.ts';
import { MALFORMED } from './answer-rules.ts';
import { cutSocket } from './close-socket.ts';
import type { HttpConnection, Turn } from './http-connection.ts';
import type { HttpContext } from './http-context.ts';
import type { Watched } from './idle-watch.ts';
import { answerRefusal } from './refusal-answer.ts';
import { requestHead, requestIdIn } from './request-head.ts';
import { newRequestId } from './request-id.ts';
import { type CheckedRequest, checkRequest } from './request-rules.ts';
import { RequestUpload } from './request-upload.ts';
import { servedRequest } from './served.ts';
import type { UpstreamConnection } from './upstream.ts';
import { gatewayStatus, mayRepeat, refusalOfUpstream } from './upstream-failure.ts';

export class HttpExchange implements Turn, Watched {
  readonly #context: HttpContext;
  readonly #connection: HttpConnection;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #requestId: string;
  #checked: CheckedRequest | undefined;
  #head: readonly string[] = [];
  #call: ClientRequest | undefined;
  #upstream: UpstreamConnection | undefined;
  #upload: RequestUpload | undefined;
  #answer: AnswerForward | undefined;
  #refusal: Refusal | undefined;
  #heard = false;
  /** Whether the caller was told to go on with its body. */
  #continued = false;
  /** Whether the answer, whichever it is, has been decided on or the caller is gone: nothing upstream matters any more. */
  #settled = false;
  #responseOver = false;
  #startedAt = 0;
  #movedAt = 0;

  constructor(context: HttpContext, connection: HttpConnection, request: IncomingMessage, response: ServerResponse) {
    this.#context = context;
    this.#connection = connection;
    this.#request = request;
    this.#response = response;
    this.#requestId = requestIdIn(request.rawHeaders) ?? newRequestId(context.randomness);
  }

  get requestComplete(): boolean {
    return this.#upload?.complete || this.#request.complete;
  }

  begin(): void {
    const { limits, pool, watch } = this.#context;
    this.#startedAt = this.#movedAt = watch.now();
    this.#response.on('close', () => this.#onResponseClosed());
    this.#request.on('error', () => {}); // a caller that leaves: told by the response's `close`
    try {
      if (this.#connection.state === 'expired') throw new Refusal('connection_expired');
      this.#checked = checkRequest(this.#request, limits.headerCount);
    } catch (error) {
      const refusal = asRefusal(error, 'http_malformed');
      this.#refuse(refusal, refusal.status, true);
      return;
    }
    this.#upload = new RequestUpload(this.#request, this.#checked, () => this.#moved());
    this.#head = this.#headFor(this.#checked);
    watch.add(this);
    this.#send(this.#checked, pool.keeping);
  }

  abort(why: Refusal): void {
    this.#refuse(why, why.status, true);
  }

  look(now: number): void {
    const { bodyIdleSeconds, idleSeconds } = this.#context.limits;
    const idleMs = now - this.#movedAt;
    // A caller that is not being read from is not slow.
    if (this.#upload?.waitsForCaller && idleMs > bodyIdleSeconds * 1000)
      this.abort(new Refusal('http_request_timeout', 'body'));
    else if (idleMs > idleSeconds * 1000) this.#outOfPatience();
  }

  #outOfPatience(): void {
    const callerDoesNotRead = this.#response.writableNeedDrain;
    const refusal = new Refusal(callerDoesNotRead ? 'connection_idle' : 'answer_timeout');
    this.#refuse(refusal, refusal.status, callerDoesNotRead);
  }

  #headFor(checked: CheckedRequest): string[] {
    const { method = '', rawHeaders } = this.#request;
    const newId = requestIdIn(rawHeaders) === undefined ? this.#requestId : undefined;
    return requestHead(method, rawHeaders, checked, { peer: this.#connection.peerHeader, newRequestId: newId });
  }

  #send(checked: CheckedRequest, agent: Agent): void {
    const { method } = this.#request;
    let call: ClientRequest;
    try {
      const { headerBytes: maxHeaderSize } = this.#context.limits;
      const headers = this.#head;
      call = openRequest({ agent, method, path: checked.target, headers, maxHeaderSize, httpValidation: 'strict' });
    } catch (error) {
      // node:http refuses to write some bytes that its parser reads.
      const { code = '' } = error as NodeJS.ErrnoException;
      this.abort(new Refusal('http_malformed', { detail: code, cause: error }));
      return;
    }
    this.#call = call;
    call.maxHeadersCount = 0; // bounded by bytes; a number would silently drop what is beyond it
    this.#listenTo(call);
    this.#upload?.start(call);
  }

  #listenTo(call: ClientRequest): void {
    call.on('socket', (socket) => {
      this.#upstream = this.#context.pool.connectionOf(socket);
      if (this.#upstream?.connection) this.#upstream.connection.requests++;
    });
    call.on('information', ({ statusCode, rawHeaders }) => this.#onInterim(statusCode, rawHeaders));
    call.on('response', (answer) => this.#onAnswer(answer));
    call.on('error', (error) => this.#onCallFailed(call, error));
    // RFC 9110 §15.2.2: nobody asked for another protocol.
    call.on('upgrade', (_answer, socket) => {
      socket.destroy();
      this.#onCallFailed(call, Object.assign(new Error('101'), { code: 'HPE_UNEXPECTED_UPGRADE' }));
    });
  }

  #onInterim(status: number, rawHeaders: readonly string[]): void {
    if (this.#settled || this.#response.headersSent) return;
    this.#heard = true;
    this.#moved();
    // RFC 9110 §10.1.1: a 100 is for who asked for it.
    if (status === 100 && (!this.#checked?.expectsContinue || this.#continued)) return;
    try {
      if (status === 100) this.#response.writeContinue();
      else forwardInterim(this.#request, this.#response, status, rawHeaders);
      this.#continued ||= status === 100;
    } catch (error) {
      this.#fail(asRefusal(error, MALFORMED[this.#context.pool.kind]));
    }
  }

  #onAnswer(answer: IncomingMessage): void {
    if (this.#settled) return;
    this.#heard = true;
    this.#moved();
    const response = this.#response;
    // RFC 9110 §10.1.1: whether a caller that was never told to go on sends its body is up to it, so nothing can follow.
    const bodyIsUncertain = this.#checked?.expectsContinue && !this.#continued && !this.requestComplete;
    if (this.#connection.lastAnswer || bodyIsUncertain) response.shouldKeepAlive = false;
    try {
      this.#answer = new AnswerForward(answer, response, this.#context.pool.kind, {
        moved: () => this.#moved(),
        ended: () => this.#onAnswerEnded(),
        failed: (error) => this.#fail(refusalOfUpstream(error, this.#context.pool.kind)),
      });
    } catch (error) {
      this.#fail(asRefusal(error, 'internal_failure'));
    }
  }

  #onAnswerEnded(): void {
    this.#settled = true;
    if (this.#upload?.complete) return;
    // The answer came early and is complete: the rest of the request is read for the sake of what follows it.
    this.#discardUpload();
    this.#call?.destroy();
  }

  #onCallFailed(call: ClientRequest, error: Error): void {
    if (this.#settled || call !== this.#call || !this.#checked) return;
    const { method = '' } = this.#request;
    const failed = { method, hasBody: this.#checked.hasBody, reused: call.reusedSocket, heard: this.#heard };
    if (mayRepeat(error, failed)) {
      // Once: what goes out on a new connection is never one that was reused.
      this.#send(this.#checked, this.#context.pool.fresh);
      return;
    }
    // Writing may fail because the answer is already there: then the answer counts.
    if (!this.#answer) this.#fail(refusalOfUpstream(error, this.#context.pool.kind));
  }

  #fail(refusal: Refusal): void {
    this.#refuse(refusal, gatewayStatus(refusal), false);
  }

  /** The one way to end an exchange otherwise than by the answer of the destination. */
  #refuse(refusal: Refusal, status: number, last: boolean): void {
    if (this.#responseOver || this.#refusal) {
      cutSocket(this.#connection.socket);
      return;
    }
    this.#settled = true;
    this.#refusal = refusal;
    this.#tell(refusal);
    this.#discardUpload();
    this.#answer?.stop();
    this.#call?.destroy();
    if (this.#response.headersSent || !this.#connection.socket.writable) {
      cutSocket(this.#connection.socket);
      return;
    }
    if (last) this.#connection.endAfterThisAnswer();
    answerRefusal(this.#response, { refusal, status, requestId: this.#requestId }, this.#connection.lastAnswer);
  }

  #tell(refusal: Refusal): void {
    const { code, detail } = refusal;
    const { peer } = this.#connection;
    this.#context.log.warn('request_refused', {
      code,
      reason: detail,
      peer: this.#upstream?.peer?.spiffeId.uri ?? peer,
      requestId: this.#requestId,
    });
    this.#context.observer.refused(refusal);
  }

  #discardUpload(): void {
    if (this.#upload) this.#upload.discard(() => this.#leaveWhenOver());
    else this.#request.resume();
  }

  #moved(): void {
    this.#movedAt = this.#context.watch.now();
  }

  #onResponseClosed(): void {
    if (this.#responseOver) return;
    this.#responseOver = true;
    const complete = this.#response.writableFinished;
    if (!complete) {
      this.#settled = true;
      this.#answer?.stop();
      this.#call?.destroy();
    }
    this.#context.observer.requestServed(this.#served(complete));
    this.#leaveWhenOver();
  }

  #served(complete: boolean) {
    return servedRequest({
      requestId: this.#requestId,
      request: this.#request,
      response: this.#response,
      answer: this.#answer,
      refusal: this.#refusal,
      complete,
      durationMs: this.#context.watch.now() - this.#startedAt,
      requestBytes: this.#upload?.bytes ?? 0,
      peer: this.#upstream?.peer?.spiffeId.uri ?? this.#connection.peer,
      own: this.#upstream?.own?.spiffeId.uri ?? this.#connection.own,
    });
  }

  #leaveWhenOver(): void {
    // What was refused at its head has no upload: its connection ends anyway.
    const read = this.#upload === undefined || this.#upload.complete || this.#connection.socket.destroyed;
    if (!this.#responseOver || !read) return;
    this.#context.watch.remove(this);
    this.#connection.done(this);
  }
}
