/** The facts of an exchange that is over, as metrics and access log take them. Pure. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Refusal } from '../../shared/errors/refusal.ts';
import type { ServedRequest } from '../telemetry/served-request.ts';
import type { AnswerForward } from './answer-forward.ts';

export interface FinishedExchange
  extends Pick<ServedRequest, 'requestId' | 'durationMs' | 'requestBytes' | 'peer' | 'own'> {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Absent when the destination did not answer. */
  readonly answer: AnswerForward | undefined;
  readonly refusal: Refusal | undefined;
  /** Whether the caller got its whole answer. */
  readonly complete: boolean;
}

export function servedRequest({
  request,
  response,
  answer,
  refusal,
  complete,
  ...facts
}: FinishedExchange): ServedRequest {
  const { method = '', url = '' } = request;
  const grpc = answer?.isGrpc ?? false;
  return {
    ...facts,
    method,
    path: pathOf(url),
    protocol: grpc ? 'grpc' : 'http',
    status: response.headersSent ? response.statusCode : 0,
    grpcStatus: grpc ? answer!.grpcStatus : '',
    refusal: refusal?.code ?? '',
    callerLeft: !complete && refusal === undefined,
    answerBytes: answer?.bytes ?? 0,
  };
}

/** A target without its query, bounded: it goes into a log. */
export function pathOf(target: string): string {
  const end = target.indexOf('?');
  return (end < 0 ? target : target.slice(0, end)).slice(0, 512);
}
