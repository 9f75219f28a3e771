/**
 * One caller's connection: its requests one after the other, and how it ends. What was sent ahead waits, unread, so
 * that answers cannot change places and nothing is done in another order than it was asked.
 */
import { Refusal } from '../../shared/errors/refusal.ts';
import type { RequestHead, ResponseHead } from '../../shared/http1/head.ts';
import { HeadReader } from '../../shared/http1/head-reader.ts';
import { checkRequestLine, parseRequestHead } from '../../shared/http1/request-head.ts';
import type { Channel, ChannelReceiver, HeadBytes } from '../channel/channel.ts';
import { type ConnectionOption, refusalText } from './http1-answer-text.ts';
import type { Caller } from './http1-caller.ts';
import type { Http1Context } from './http1-context.ts';
import { Http1Exchange } from './http1-exchange.ts';
import { refusalOfCaller } from './http1-failure.ts';
import { HeadWriter } from './http1-head-writer.ts';
import { checkRequest, isUpgrade } from './http1-request.ts';
import { Http1Upgrade } from './http1-upgrade.ts';
import { IDENTITY_NAMES, PEER_HEADER, peerHeaderValue } from './identity-headers.ts';
import type { Watched } from './idle-watch.ts';
import { Linger } from './linger.ts';
import type { Accepted, Carrier, ConnectionState, RegisteredConnection, RetirementReason } from './relay.ts';

export class Http1Connection implements ChannelReceiver, Caller, Carrier, Watched {
  readonly peerLine: string = '';
  readonly peer: string | undefined;
  readonly own: string | undefined;
  isFull = false;
  isLast = false;
  readonly #channel: Channel;
  readonly #registered: RegisteredConnection;
  readonly #context: Http1Context;
  readonly #closed: (connection: Http1Connection) => void;
  readonly #reader: HeadReader;
  readonly #exchange: Http1Exchange;
  /** What was sent ahead. */
  #held: Buffer | undefined;
  #upgraded: Http1Upgrade | undefined;
  #isReadingHeld = false;
  /** Nothing more is taken from the caller. */
  #isOver = false;
  #hasAsked = false;
  #hasToldEnd = false;
  /** Monotonic milliseconds: since when the next request, or the rest of its head, is waited for. */
  #waitsSince: number;
  #isWithinHead = false;

  /** @param closed called once, when its channel is closed */
  constructor(accepted: Accepted, context: Http1Context, closed: (connection: Http1Connection) => void) {
    const { channel, connection, peer, own } = accepted;
    this.#channel = channel;
    this.#registered = connection;
    this.#context = context;
    this.#closed = closed;
    this.peer = peer?.spiffeId.uri;
    this.own = own?.spiffeId.uri;
    if (peer && own) {
      const { certificateHash } = peer;
      const proven = { own: own.spiffeId.uri, peer: peer.spiffeId.uri, certificateHash };
      this.peerLine = `${PEER_HEADER}: ${peerHeaderValue(proven)}\r\n`;
    }
    this.#reader = new HeadReader(context.headLimits, { checkStart: checkRequestLine, skipEmptyLine: true });
    this.#exchange = new Http1Exchange(context, this);
    this.#waitsSince = context.watch.now();
    context.watch.add(this);
    channel.receiver = this;
    connection.carriedBy(this);
  }

  /** Its session tells it when to end. */
  get isStream(): boolean {
    return this.#registered.isStream === true;
  }

  get state(): ConnectionState {
    return this.#registered.state;
  }

  onBytes(bytes: Buffer, more: boolean): void {
    if (this.#isOver) return;
    if (this.#held) this.#hold(bytes, 0);
    else this.#read(bytes, this.#channel.lends, more);
    this.settle();
  }

  /** In HTTP a caller that ends its half has left: otherwise nobody would notice when one gives up waiting. */
  onEnd(): void {
    if (this.#isOver) return;
    this.#exchange.left();
    this.#end();
  }

  onDrain(): void {
    this.isFull = false;
    if (this.#isOver) return;
    if (this.#exchange.isActive) this.#exchange.onCallerRoom();
    else this.#readHeld();
  }

  onClose(): void {
    this.#isOver = true;
    this.#context.watch.remove(this);
    this.#exchange.left();
    this.#closed(this);
  }

  look(now: number): void {
    if (this.#exchange.isActive) return void this.#exchange.look(now);
    const { headerSeconds, idleSeconds } = this.#context.limits;
    const silentMs = now - this.#waitsSince;
    if (this.#isWithinHead || !this.#hasAsked) {
      if (silentMs > headerSeconds * 1000) this.#sayLast(new Refusal('http_request_timeout', 'head'));
    } else if (silentMs > idleSeconds * 1000) {
      if (this.isFull) this.breakOff(new Refusal('connection_idle'));
      else this.#end();
    }
  }

  retire(reason: RetirementReason): void {
    this.isLast = true;
    // A stream was opened for a request, which then is on its way.
    if (reason === 'draining' && this.#isIdle && (this.#hasAsked || !this.isStream)) this.#end();
  }

  expire(): void {
    this.isLast = true;
    if (this.#isIdle) this.#end();
  }

  /** What is in progress is answered so, when there is still time. */
  cut(why: Refusal): void {
    if (this.#isOver || this.isFull) return void this.breakOff(why);
    if (this.#exchange.isActive) this.#exchange.abort(why);
    else this.#end();
  }

  /** At once, whatever it carries. */
  breakOff(why: Refusal): void {
    this.#upgraded?.cut(why);
    this.#channel.abort(why);
  }

  writeHead(head: HeadBytes, body: Buffer, from: number, to: number, lent: boolean, more: boolean): boolean {
    const room = this.#channel.writeHead(head, body, from, to, lent, more);
    if (!room) this.isFull = true;
    return room;
  }

  write(bytes: Buffer, lent: boolean, more: boolean): boolean {
    const room = this.#channel.write(bytes, lent, more);
    if (!room) this.isFull = true;
    return room;
  }

  connectionOption({ framing }: ResponseHead): ConnectionOption {
    const { head, answer, upload } = this.#exchange;
    // RFC 9110 §10.1.1: whether a caller that was never told to go on sends its body is up to it, so nothing can follow.
    const isUncertain = head.expectsContinue && !answer.isContinued && !upload.isRead;
    // RFC 9112 §6.3 (8), §7: an answer without length ends with the connection; HTTP/1.0 knows no chunks.
    const endsIt = framing.kind === 'close' || (framing.kind === 'chunked' && head.minor === 0);
    if (!head.keepAlive || isUncertain || endsIt) this.endAfterThisAnswer();
    return this.#option();
  }

  endAfterThisAnswer(): void {
    this.isLast = true;
  }

  refuse(refusal: Refusal, status: number, requestId: string, isHead: boolean): boolean {
    if (this.#channel.isEnded) return false;
    if (!this.#exchange.head.keepAlive) this.isLast = true;
    const text = refusalText({ refusal, status, requestId, isHead, option: this.#option() });
    this.writeHead(new HeadWriter().text(text), NOTHING, 0, 0, false, false);
    return true;
  }

  /** The caller is slowed down while something waits that it has sent. */
  settle(): void {
    if (this.#isOver) return;
    const mustWait = this.#held !== undefined || (this.#exchange.isActive && this.#exchange.upload.isBlocked);
    if (mustWait === this.#channel.isPaused) return;
    if (mustWait) this.#channel.pause();
    else this.#channel.resume();
  }

  exchangeOver(now: number): void {
    this.#waitsSince = now;
    // What was sent ahead and cannot be begun any more is refused with a code, unless the end has been told already.
    if (this.#held && (!this.isLast || (this.state === 'expired' && !this.#hasToldEnd))) this.#readHeld();
    if (this.isLast && !this.#exchange.isActive) this.#end();
  }

  get #isIdle(): boolean {
    return !this.#exchange.isActive && !this.#isOver;
  }

  #option(): ConnectionOption {
    if (this.isLast) {
      this.#hasToldEnd = true;
      return 'close';
    }
    // RFC 9112 §9.3: HTTP/1.0 has to be told.
    return this.#exchange.head.minor === 0 ? 'keep-alive' : '';
  }

  #read(bytes: Buffer, lent: boolean, more: boolean): void {
    let at = 0;
    try {
      while (at < bytes.length && !this.#isOver) {
        if (!this.#exchange.isActive) {
          if (this.isFull) return void this.#hold(bytes, at);
          at = this.#readHead(bytes, at, lent);
        } else if (!this.#exchange.upload.isRead) at = this.#exchange.takeBody(bytes, at, lent, more);
        else return void this.#hold(bytes, at);
      }
    } catch (error) {
      this.#fail(refusalOfCaller(error));
    }
  }

  #readHead(bytes: Buffer, from: number, lent: boolean): number {
    const end = this.#reader.push(bytes, from);
    if (end < 0) {
      if (!this.#isWithinHead && this.#hasAsked) this.#waitsSince = this.#context.watch.now();
      this.#isWithinHead = true;
      return bytes.length;
    }
    this.#isWithinHead = false;
    this.#hasAsked = true;
    const head = parseRequestHead(this.#reader, this.#context.headLimits, IDENTITY_NAMES);
    this.#registered.requests++;
    // An upgrade that was sent ahead is none: nothing may follow it before it is answered.
    if (!this.#isReadingHeld && this.state !== 'expired' && isUpgrade(head)) return this.#upgrade(head, bytes, end);
    return this.#exchange.begin(head, bytes, end, lent);
  }

  /** From here on it is no connection of HTTP, whatever comes of it. */
  #upgrade(head: RequestHead, bytes: Buffer, from: number): number {
    const target = checkRequest(head);
    this.#isOver = true;
    this.#context.watch.remove(this);
    const caller = {
      channel: this.#channel,
      registered: this.#registered,
      peerLine: this.peerLine,
      peer: this.peer,
      own: this.own,
      closed: () => this.#closed(this),
    };
    this.#upgraded = new Http1Upgrade(this.#context, caller, head, target, Buffer.from(bytes.subarray(from)));
    this.#upgraded.begin();
    return bytes.length;
  }

  /** At most what one call brings, because the channel is paused then. */
  #hold(bytes: Buffer, from: number): void {
    const rest = this.#channel.lends ? Buffer.from(bytes.subarray(from)) : bytes.subarray(from);
    this.#held = this.#held ? Buffer.concat([this.#held, rest]) : rest;
  }

  #readHeld(): void {
    const held = this.#held;
    if (held) {
      this.#held = undefined;
      this.#isReadingHeld = true;
      this.#read(held, false, false);
      this.#isReadingHeld = false;
    }
    this.settle();
  }

  /** The rest of the connection cannot be read. */
  #fail(refusal: Refusal): void {
    if (refusal.code === 'internal_failure')
      this.#context.log.error('request_failed', { code: refusal.code, reason: refusal.detail });
    if (this.#exchange.isActive) this.#exchange.abort(refusal);
    else this.#sayLast(refusal);
  }

  #sayLast(refusal: Refusal): void {
    const { code, detail, status } = refusal;
    this.#context.log.warn('request_refused', { code, reason: detail, peer: this.peer });
    this.#context.observer.refused(refusal);
    const text = refusalText({ refusal, status, option: 'close' });
    this.writeHead(new HeadWriter().text(text), NOTHING, 0, 0, false, false);
    this.#end();
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#held = undefined;
    const { watch, limits } = this.#context;
    watch.remove(this);
    if (this.#channel.isClosed) return void this.#closed(this);
    const closed = (): void => this.#closed(this);
    new Linger({ channel: this.#channel, watch, idleSeconds: limits.idleSeconds, closed });
  }
}

const NOTHING = Buffer.alloc(0);
