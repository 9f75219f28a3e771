/**
 * One request and its answer; the same object serves one after the other. Everything that can end it (either side, a
 * limit, the end of an identity) ends it once, and is told once. It decides nothing itself: the rules stand in
 * http1-request and http1-failure.
 */
import { asRefusal, Refusal } from '../../shared/errors/refusal.ts';
import type { RequestHead } from '../../shared/http1/head.ts';
import { Http1Answer } from './http1-answer.ts';
import type { Caller } from './http1-caller.ts';
import type { Http1Context } from './http1-context.ts';
import {
  gatewayStatus,
  isUnprocessed,
  malformedAnswer,
  mayRepeat,
  refusalOfAnswer,
  refusalOfEnd,
} from './http1-failure.ts';
import { HeadWriter } from './http1-head-writer.ts';
import { checkRequest, putRequest } from './http1-request.ts';
import { didWell, Http1Route } from './http1-route.ts';
import { servedRequest } from './http1-served.ts';
import { Http1Upload } from './http1-upload.ts';
import type { Http1Upstream, UpstreamUser } from './http1-upstream.ts';
import { Movement } from './movement.ts';

export class Http1Exchange implements UpstreamUser {
  /** A request is being carried; its body may still have to be read when it has been answered. */
  isActive = false;
  readonly upload = new Http1Upload();
  readonly answer: Http1Answer;
  startedAt = 0;
  requestId = '';
  refusal: Refusal | undefined;
  /** Of a refusal. */
  status = 0;
  head!: RequestHead;
  readonly caller: Caller;
  readonly #context: Http1Context;
  readonly #text = new HeadWriter();
  #upstream: Http1Upstream | undefined;
  #dialing: AbortController | undefined;
  #wasUnprocessed = false;
  #isAnswered = false;
  readonly #movement = new Movement();
  readonly #route: Http1Route;
  /** Of the last upstream: SPIFFE IDs proved in the handshake. */
  peer: string | undefined;
  own: string | undefined;

  constructor(context: Http1Context, caller: Caller) {
    this.#context = context;
    this.caller = caller;
    this.answer = new Http1Answer(context, caller);
    this.#route = new Http1Route(context.endpoints);
  }

  /** @returns the index in `bytes` behind what of the request's body came with the head @throws {Http1Error} */
  begin(head: RequestHead, bytes: Buffer, from: number, lent: boolean): number {
    const { watch, requestIds } = this.#context;
    this.#reset(head, watch.now());
    const isOwnId = head.requestId === '';
    this.requestId = isOwnId ? requestIds.next() : head.requestId;
    this.answer.begin(head);
    let target: string;
    try {
      if (this.caller.state === 'expired') throw new Refusal('connection_expired');
      target = checkRequest(head);
    } catch (error) {
      this.abort(asRefusal(error, 'http_malformed'));
      return from;
    }
    const own = (isOwnId ? `X-Request-Id: ${this.requestId}\r\n` : '') + this.caller.peerLine;
    putRequest(this.#text, head, target, own);
    const end = this.upload.measure(bytes, from);
    this.#send(bytes, from, end, lent);
    return end;
  }

  /** More of the request's body. @returns the index behind it @throws {Http1Error} */
  takeBody(bytes: Buffer, from: number, lent: boolean, more: boolean): number {
    this.#movement.mark();
    const end = this.upload.take(bytes, from, lent, more);
    if (this.#isAnswered) this.#leaveWhenOver(this.#context.watch.now());
    return end;
  }

  onAnswerBytes(bytes: Buffer, more: boolean): void {
    const upstream = this.#upstream!;
    this.#movement.mark();
    let hasRoom: boolean;
    try {
      hasRoom = this.answer.push(bytes, upstream.channel.lends, more);
    } catch (error) {
      return void this.#fail(refusalOfAnswer(error, this.#context.kind));
    }
    if (this.answer.isDone) this.#onAnswered(bytes, this.answer.excessFrom);
    else if (!hasRoom) upstream.channel.pause();
  }

  onAnswerEnd(): void {
    const upstream = this.#upstream!;
    if (this.answer.end()) return void this.#onAnswered(NOTHING, 0);
    upstream.abandon();
    this.onUpstreamClosed(undefined);
  }

  onRequestRoom(): void {
    this.upload.isBlocked = false;
    this.#movement.mark();
    this.caller.settle();
  }

  onUpstreamClosed(failure: Refusal | undefined): void {
    const { isReused } = this.#upstream!;
    this.#upstream = undefined;
    const { kind } = this.#context;
    if (this.answer.isWithinHead) return void this.#fail(malformedAnswer('it ended within its head', kind));
    const { method, framing } = this.head;
    const { isHeard } = this.answer;
    if (mayRepeat(failure, { method, hasBody: framing.kind !== 'none', isReused, isHeard })) this.#dial();
    else this.#fail(refusalOfEnd(failure, kind));
  }

  /** The caller reads again. */
  onCallerRoom(): void {
    this.#movement.mark();
    const channel = this.#upstream?.channel;
    if (channel?.isPaused) channel.resume();
  }

  /** The caller is gone. */
  left(): void {
    if (!this.isActive) return;
    this.isActive = false;
    this.#letGo();
    if (!this.#isAnswered) this.#tellServed(true);
  }

  /** Ends it with an answer when there is still time for one, and the connection with it. */
  abort(why: Refusal): void {
    this.#refuse(why, why.status, true);
  }

  look(now: number): void {
    const { bodyIdleSeconds, idleSeconds } = this.#context.limits;
    const idleMs = this.#movement.idleMs(now);
    const waitsForCaller = !this.upload.isRead && !this.upload.isBlocked;
    // A caller that is not being read from is not slow.
    if (waitsForCaller && idleMs > bodyIdleSeconds * 1000) this.abort(new Refusal('http_request_timeout', 'body'));
    else if (idleMs > idleSeconds * 1000) {
      const { isFull } = this.caller;
      const refusal = new Refusal(isFull ? 'connection_idle' : 'answer_timeout');
      this.#refuse(refusal, refusal.status, isFull);
    }
  }

  #reset(head: RequestHead, now: number): void {
    this.isActive = true;
    this.head = head;
    this.upload.begin(head);
    this.startedAt = now;
    this.#movement.begin(now);
    this.#isAnswered = false;
    this.#wasUnprocessed = false;
    this.refusal = undefined;
    this.status = 0;
    this.peer = this.own = undefined;
  }

  #use(upstream: Http1Upstream): void {
    this.#upstream = upstream;
    this.peer = upstream.peer;
    this.own = upstream.own;
    upstream.use(this);
  }

  #send(bytes: Buffer, from: number, end: number, lent: boolean): void {
    let upstream: Http1Upstream | undefined;
    try {
      upstream = this.#route.begin().take();
    } catch (error) {
      return void this.#fail(asRefusal(error, 'upstream_unreachable'));
    }
    if (upstream) {
      this.#use(upstream);
      this.upload.start(upstream.channel, this.#text, bytes, from, end, lent);
    } else {
      this.upload.wait(bytes, from, end);
      this.#dial();
    }
  }

  #dial(): void {
    const dialing = new AbortController();
    this.#dialing = dialing;
    const { pool } = this.#route;
    pool.dial(dialing.signal).then(
      (upstream) => {
        if (this.#dialing !== dialing) return pool.put(upstream);
        this.#dialing = undefined;
        this.#use(upstream);
        this.upload.startWaiting(upstream.channel, this.#text);
        this.caller.settle();
      },
      (error: unknown) => {
        if (this.#dialing !== dialing) return;
        this.#dialing = undefined;
        this.#onDialFailed(asRefusal(error, 'internal_failure'));
      },
    );
  }

  #onDialFailed(refusal: Refusal): void {
    // Nothing was sent: whatever it is, it can go elsewhere, once.
    if (isUnprocessed(refusal) && !this.#wasUnprocessed) {
      this.#wasUnprocessed = true;
      this.#dial();
    } else if (this.#route.moveOn(refusal)) this.#dial();
    else this.#fail(refusalOfEnd(refusal, this.#context.kind));
  }

  /** @param rest begins, at `from`, with what came behind the answer */
  #onAnswered(rest: Buffer, from: number): void {
    const upstream = this.#upstream!;
    this.#upstream = undefined;
    const { head } = this.answer;
    if (!this.upload.isRead) upstream.abandon();
    else if (head!.keepAlive && from === rest.length) this.#route.pool.put(upstream);
    else this.#route.pool.end(upstream);
    this.#isAnswered = true;
    this.#leaveWhenOver(this.#tellServed(false));
  }

  #fail(refusal: Refusal): void {
    this.#refuse(refusal, gatewayStatus(refusal), false);
  }

  /** The one way to end it otherwise than by the answer of the destination. */
  #refuse(refusal: Refusal, status: number, last: boolean): void {
    if (!this.isActive) return;
    this.#letGo();
    if (this.#isAnswered) {
      this.isActive = false;
      return void this.caller.breakOff(refusal);
    }
    this.refusal = refusal;
    this.status = status;
    this.#tellRefused(refusal);
    // RFC 9110 §10.1.1: whether a caller that was never told to go on sends its body is up to it, so nothing can follow.
    const isUncertain = this.head.expectsContinue && !this.answer.isContinued && !this.upload.isRead;
    if (last || isUncertain) this.caller.endAfterThisAnswer();
    const isBegun = this.answer.head !== undefined;
    if (isBegun || !this.caller.refuse(refusal, status, this.requestId, this.head.method === 'HEAD')) {
      this.isActive = false;
      this.#tellServed(false);
      return void this.caller.breakOff(refusal);
    }
    this.#isAnswered = true;
    this.#leaveWhenOver(this.#tellServed(false));
  }

  /** Nothing upstream matters any more; the rest of the request goes nowhere. */
  #letGo(): void {
    this.upload.discard();
    const upstream = this.#upstream;
    this.#upstream = undefined;
    upstream?.abandon();
    const dialing = this.#dialing;
    this.#dialing = undefined;
    dialing?.abort();
  }

  #leaveWhenOver(now: number): void {
    if (this.upload.isRead || this.caller.isLast) {
      this.isActive = false;
      this.caller.exchangeOver(now);
    } else {
      // The answer came early: the rest of the request is read for the sake of what follows it.
      this.upload.discard();
      this.caller.settle();
    }
  }

  #tellRefused({ code, detail }: Refusal): void {
    const peer = this.peer ?? this.caller.peer;
    this.#context.log.warn('request_refused', { code, reason: detail, peer, requestId: this.requestId });
    this.#context.observer.refused(this.refusal!);
  }

  /** @returns the time */
  #tellServed(callerLeft: boolean): number {
    const now = this.#context.watch.now();
    this.#context.observer.requestServed(servedRequest(this, callerLeft, now));
    this.#route.end(callerLeft ? undefined : didWell(this.refusal, this.answer.head?.status));
    return now;
  }
}

const NOTHING = Buffer.alloc(0);
