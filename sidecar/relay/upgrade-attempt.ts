/**
 * One request to switch protocols, from its head to the end of both sockets. It prepares what http-proxy sends,
 * takes over when the answer is no 101, and ends everything when either side leaves.
 */
import { type ClientRequest, type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { asRefusal, Refusal } from '../../shared/errors/refusal.ts';
import { AnswerForward } from './answer-forward.ts';
import { MALFORMED } from './answer-rules.ts';
import { leaveErrorsToClose } from './app-upstream.ts';
import { cutSocket, endSocket } from './close-socket.ts';
import { endToEnd } from './hop-by-hop.ts';
import type { HttpConnection } from './http-connection.ts';
import type { HttpContext } from './http-context.ts';
import { isIdentityHeader } from './identity-headers.ts';
import { scanHeaders, tokens } from './raw-headers.ts';
import { answerRefusalRaw } from './refusal-answer.ts';
import type { Carrier } from './relay.ts';
import { requestIdIn, upgradeHead } from './request-head.ts';
import { newRequestId } from './request-id.ts';
import { type CheckedRequest, checkRequest } from './request-rules.ts';
import { pathOf } from './served.ts';
import { SplicePair } from './splice-pair.ts';
import type { UpstreamConnection } from './upstream.ts';
import { gatewayStatus, refusalOfUpstream } from './upstream-failure.ts';

export class UpgradeAttempt implements Carrier {
  readonly protocol = 'websocket';
  readonly #context: HttpContext;
  readonly #connection: HttpConnection;
  readonly #request: IncomingMessage;
  readonly #requestId: string;
  readonly #startedAt: number;
  #checked: CheckedRequest | undefined;
  #call: ClientRequest | undefined;
  #upstream: UpstreamConnection | undefined;
  #answer: AnswerForward | undefined;
  #refusal: Refusal | undefined;
  #status = 0;
  #over = false;

  constructor(context: HttpContext, connection: HttpConnection, request: IncomingMessage) {
    this.#context = context;
    this.#connection = connection;
    this.#request = request;
    this.#requestId = requestIdIn(request.rawHeaders) ?? newRequestId(context.randomness);
    this.#startedAt = context.watch.now();
  }

  /** @returns whether it may go on; if not, it has been refused */
  begin(): boolean {
    const { socket } = this.#connection;
    leaveErrorsToClose(socket); // node:http has let go of the socket
    socket.once('close', () => this.#onCallerClosed());
    this.#connection.handOver(this);
    try {
      this.#checked = checkRequest(this.#request, this.#context.limits.headerCount);
      return true;
    } catch (error) {
      const refusal = asRefusal(error, 'http_malformed');
      this.#refuse(refusal, refusal.status);
      return false;
    }
  }

  /** What http-proxy is about to send becomes what we send. */
  prepare(call: ClientRequest): void {
    this.#call = call;
    const checked = this.#checked!;
    const { rawHeaders } = this.#request;
    const newId = requestIdIn(rawHeaders) === undefined ? this.#requestId : undefined;
    const own = { peer: this.#connection.peerHeader, newRequestId: newId };
    for (const name of call.getHeaderNames()) call.removeHeader(name);
    const head = upgradeHead(rawHeaders, checked, this.protocol, own);
    for (let at = 0; at < head.length; at += 2) call.appendHeader(head[at]!, head[at + 1]!);
    call.path = checked.target; // http-proxy would take out double slashes
    call.maxHeadersCount = 0;
    call.on('socket', (socket) => {
      this.#upstream = this.#context.pool.connectionOf(socket);
      if (this.#upstream?.connection) this.#upstream.connection.requests++;
    });
  }

  /** http-proxy has its listeners on the call now: it gets to see a 101 that is one, and no other answer. */
  standBetween(): void {
    const call = this.#call;
    if (!call) return;
    const join = call.listeners('upgrade');
    call.removeAllListeners('upgrade').removeAllListeners('response');
    call.on('upgrade', (answer, socket, head) => {
      if (!this.#mayJoin(answer, socket as Socket)) return;
      for (const listener of join) listener.call(call, answer, socket, head);
    });
    call.on('response', (answer) => this.#onAnswer(answer));
  }

  /** Called by http-proxy for every error of the call or, later, of the upstream socket. */
  fail(error: Error): void {
    if (this.#over || this.#status !== 0 || this.#answer) return;
    const refusal = refusalOfUpstream(error, this.#context.pool.kind);
    this.#refuse(refusal, gatewayStatus(refusal));
  }

  retire(): void {}

  expire(): void {}

  cut(why: Refusal): void {
    if (this.#status === 0 && !this.#answer) this.#refuse(why, why.status);
    else cutSocket(this.#connection.socket);
  }

  #mayJoin(answer: IncomingMessage, upstream: Socket): boolean {
    leaveErrorsToClose(upstream);
    if (!tokens(answer.headers.upgrade ?? '').includes(this.protocol)) {
      upstream.destroy();
      this.fail(new Refusal(MALFORMED[this.#context.pool.kind], 'another protocol than asked for'));
      return false;
    }
    answer.headers = this.#upgradedHead(answer);
    this.#status = 101;
    const { clock, watch, limits } = this.#context;
    const client = this.#connection.socket;
    const over = (why: Refusal | undefined): void => this.#finish(why);
    const pair = new SplicePair({ client, upstream, clock, watch, idleSeconds: limits.idleSeconds, over });
    this.#connection.handOver(pair);
    this.#upstream?.connection?.carriedBy(pair);
    return true;
  }

  /** In the sender's letter case; several fields of one name stay several. */
  #upgradedHead(answer: IncomingMessage): Record<string, string[]> {
    const { connectionOptions } = scanHeaders(answer.rawHeaders);
    const fromApp = this.#context.pool.kind === 'app';
    const head = endToEnd(answer.rawHeaders, connectionOptions, (name) => fromApp && isIdentityHeader(name));
    const fields: Record<string, string[]> = { Connection: ['Upgrade'], Upgrade: [this.protocol] };
    for (let at = 0; at < head.length; at += 2) {
      const name = head[at]!;
      fields[name] = [...(fields[name] ?? []), head[at + 1]!];
    }
    return fields;
  }

  /** The destination did not switch: its answer is an answer like any other, and the last one here. */
  #onAnswer(answer: IncomingMessage): void {
    const { socket } = this.#connection;
    const response = new ServerResponse(this.#request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    const onDrain = (): void => void response.emit('drain');
    socket.on('drain', onDrain);
    const ended = (): void => endSocket(socket, this.#context.clock);
    const failed = (): void => cutSocket(socket);
    try {
      this.#answer = new AnswerForward(answer, response, this.#context.pool.kind, { moved() {}, ended, failed });
      this.#status = response.statusCode;
    } catch (error) {
      response.detachSocket(socket);
      this.fail(asRefusal(error, 'internal_failure'));
    }
  }

  #refuse(refusal: Refusal, status: number): void {
    const { socket, peer } = this.#connection;
    if (this.#refusal || socket.destroyed) return;
    this.#refusal = refusal;
    this.#status = status;
    const { code, detail } = refusal;
    this.#context.log.warn('request_refused', {
      code,
      reason: detail,
      peer: this.#upstream?.peer?.spiffeId.uri ?? peer,
      requestId: this.#requestId,
    });
    this.#context.observer.refused(refusal);
    this.#call?.destroy();
    answerRefusalRaw(socket, { refusal, status, requestId: this.#requestId });
    endSocket(socket, this.#context.clock);
  }

  #onCallerClosed(): void {
    this.#call?.destroy();
    // An upgraded pair is over when both sockets are.
    if (this.#status !== 101) this.#finish(this.#refusal);
  }

  #finish(why: Refusal | undefined): void {
    if (this.#over) return;
    this.#over = true;
    const { method = '', url = '' } = this.#request;
    this.#context.observer.requestServed({
      requestId: this.#requestId,
      method,
      path: pathOf(url),
      protocol: 'http',
      status: this.#status,
      grpcStatus: '',
      refusal: why?.code ?? '',
      callerLeft: this.#status === 0,
      durationMs: this.#context.watch.now() - this.#startedAt,
      requestBytes: 0,
      answerBytes: this.#answer?.bytes ?? 0,
      peer: this.#upstream?.peer?.spiffeId.uri ?? this.#connection.peer,
      own: this.#upstream?.own?.spiffeId.uri ?? this.#connection.own,
    });
  }
}
