/** The facts of an exchange that is over, as metrics and access log take them. Pure. */
import type { ServedRequest } from '../telemetry/served-request.ts';
import type { Http1Exchange } from './http1-exchange.ts';

export function servedRequest(exchange: Http1Exchange, callerLeft: boolean, now: number): ServedRequest {
  const { head, answer, upload, caller, refusal } = exchange;
  const isGrpc = answer.head?.isGrpc ?? false;
  return {
    requestId: exchange.requestId,
    method: head.method,
    path: pathOf(head.target),
    protocol: isGrpc ? 'grpc' : 'http',
    status: answer.head?.status ?? exchange.status,
    grpcStatus: isGrpc ? answer.grpcStatus : '',
    refusal: refusal?.code ?? '',
    callerLeft,
    durationMs: now - exchange.startedAt,
    requestBytes: upload.bytes,
    answerBytes: answer.bytes,
    peer: exchange.peer ?? caller.peer,
    own: exchange.own ?? caller.own,
  };
}

/** A target without its query, bounded: it goes into a log. */
export function pathOf(target: string): string {
  const end = target.indexOf('?');
  return (end < 0 ? target : target.slice(0, end)).slice(0, 512);
}
