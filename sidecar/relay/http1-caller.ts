/** What an exchange needs of the connection that its request came by. */
import type { Refusal } from '../../shared/errors/refusal.ts';
import type { AnswerCaller } from './http1-answer.ts';
import type { ConnectionState } from './relay.ts';

export interface Caller extends AnswerCaller {
  /** Line of X-Forwarded-Client-Cert; '' when the caller is the own app. */
  readonly peerLine: string;
  readonly peer: string | undefined;
  readonly own: string | undefined;
  readonly state: ConnectionState;
  /** What was written waits for the caller to read. */
  readonly isFull: boolean;
  /** The connection ends with this answer. */
  readonly isLast: boolean;
  endAfterThisAnswer(): void;
  /** @returns whether it could be said */
  refuse(refusal: Refusal, status: number, requestId: string, isHead: boolean): boolean;
  /** So that an answer that is not complete does not look so. */
  breakOff(why: Refusal): void;
  /** More may be taken of the request, or no more. */
  settle(): void;
  /** Answered, and read to its end. */
  exchangeOver(now: number): void;
}
