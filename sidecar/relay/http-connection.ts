/**
 * One caller's connection: its requests one after the other, and how it ends. Requests that were sent ahead wait,
 * so that answers cannot change places and nothing is done in another order than it was asked. It looks into no
 * request.
 */
import type { Socket } from 'node:net';
import { asRefusal, Refusal } from '../../shared/errors/refusal.ts';
import { cutSocket, endSocket } from './close-socket.ts';
import type { HttpContext } from './http-context.ts';
import { peerHeaderValue } from './identity-headers.ts';
import { refusalOfParser } from './parser-failure.ts';
import { answerRefusalRaw } from './refusal-answer.ts';
import type { Accepted, Carrier, ConnectionState, RegisteredConnection, RetirementReason } from './relay.ts';

/** A request and its answer, as the connection sees them. */
export interface Turn {
  begin(): void;
  /** Whether the whole request has been read. */
  readonly requestComplete: boolean;
  /** Ends it now: with an answer when there is still time for one. */
  abort(why: Refusal): void;
}

/** Requests that may wait behind the one that is being answered. */
const MOST_WAITING = 64;

export class HttpConnection implements Carrier {
  readonly socket: Socket;
  /** Value of X-Forwarded-Client-Cert; undefined when the caller is the own app. */
  readonly peerHeader: string | undefined;
  /** SPIFFE IDs proved in the handshake. */
  readonly peer: string | undefined;
  readonly own: string | undefined;
  readonly #registered: RegisteredConnection;
  readonly #context: HttpContext;
  readonly #waiting: Turn[] = [];
  #turn: Turn | undefined;
  #lastAnswer = false;
  #ended = false;
  /** Nothing more is taken from the caller. */
  #deaf = false;
  /** What to say when everything that was asked before has been answered. */
  #lastWords: Refusal | undefined;

  constructor({ socket, connection, peer, own }: Accepted, context: HttpContext) {
    this.socket = socket;
    this.#registered = connection;
    this.#context = context;
    this.peer = peer?.spiffeId.uri;
    this.own = own?.spiffeId.uri;
    if (peer && own) {
      this.peerHeader = peerHeaderValue({
        own: own.spiffeId.uri,
        peer: peer.spiffeId.uri,
        certificateHash: peer.certificateHash,
      });
    }
    connection.carriedBy(this);
  }

  get state(): ConnectionState {
    return this.#registered.state;
  }

  /** Whether the next answer is to say that it is the last one. */
  get lastAnswer(): boolean {
    return this.#lastAnswer;
  }

  get idle(): boolean {
    return this.#turn === undefined && !this.#ended;
  }

  /** Takes a request that has arrived. */
  add(turn: Turn): void {
    this.#registered.requests++;
    if (this.#deaf) return;
    if (!this.#turn) this.#begin(turn);
    else if (this.#waiting.length < MOST_WAITING) this.#waiting.push(turn);
    else this.fail(new Refusal('http_pipeline_limit', `${MOST_WAITING} waiting`));
  }

  /** The turn is over: its answer was given and its request read to the end. */
  done(turn: Turn): void {
    if (this.#turn !== turn) return;
    this.#turn = undefined;
    const next = this.#waiting.shift();
    if (this.socket.destroyed) return;
    if (next) this.#begin(next);
    else if (this.#lastWords) this.#sayLast(this.#lastWords);
    else if (this.#lastAnswer) this.#end();
  }

  /** The rest of the connection cannot be read: what is being answered and does not need it is finished first. */
  fail(error: Error): void {
    if (this.#deaf) return;
    const refusal = error instanceof Refusal ? error : refusalOfParser(error);
    if (!refusal) {
      cutSocket(this.socket);
      return;
    }
    this.#deaf = true;
    if (!this.#turn) this.#sayLast(refusal);
    else if (this.#turn.requestComplete) this.#lastWords = refusal;
    else this.#turn.abort(refusal);
  }

  /** The present answer is the last one: what came behind its request is not read, let alone answered. */
  endAfterThisAnswer(): void {
    this.#deaf = true;
    this.#lastAnswer = true;
    this.#waiting.length = 0;
  }

  /** Leaves the socket to another protocol. */
  handOver(carrier: Carrier): void {
    this.#ended = true;
    this.#deaf = true;
    this.#registered.requests++;
    this.#registered.carriedBy(carrier);
  }

  /** Nothing has been asked for as long as a connection may be kept for the next request. */
  endIdle(): void {
    if (this.idle) this.#end();
    else cutSocket(this.socket);
  }

  retire(reason: RetirementReason): void {
    this.#lastAnswer = true;
    if (reason === 'draining' && this.idle) this.#end();
  }

  expire(): void {
    this.#lastAnswer = true;
    if (this.idle) this.#end();
  }

  cut(why: Refusal): void {
    this.#deaf = true;
    if (this.#turn) this.#turn.abort(why);
    endSocket(this.socket, this.#context.clock);
  }

  #begin(turn: Turn): void {
    this.#turn = turn;
    try {
      turn.begin();
    } catch (error) {
      // Not foreseen: this connection ends, the others do not notice.
      const refusal = asRefusal(error, 'internal_failure');
      this.#context.log.error('request_failed', { code: refusal.code, reason: refusal.detail });
      turn.abort(refusal);
      cutSocket(this.socket);
    }
  }

  #sayLast(refusal: Refusal): void {
    this.#context.log.warn('request_refused', { code: refusal.code, reason: refusal.detail, peer: this.peer });
    this.#context.observer.refused(refusal);
    if (this.socket.writable) answerRefusalRaw(this.socket, { refusal, status: refusal.status });
    this.#end();
  }

  #end(): void {
    this.#ended = true;
    this.#deaf = true;
    endSocket(this.socket, this.#context.clock);
  }
}
