/**
 * One log line per request or TCP connection, with the id that is the same in every sidecar on the way. Off unless
 * wanted: then nothing is built either. It never holds a header, a query or a body.
 */
import type { Log } from '../../shared/log/log.ts';
import type { ServedConnection, ServedRequest } from './served-request.ts';

export interface AccessLog {
  request(served: ServedRequest): void;
  connection(served: ServedConnection): void;
}

export const noAccessLog: AccessLog = { request() {}, connection() {} };

/** @param log a child that carries direction and listener */
export function accessLogTo(log: Log, level: 'debug' | 'info'): AccessLog {
  const write = level === 'info' ? log.info : log.debug;
  return {
    request: (served) => write('request_served', { ...served, ...rounded(served.durationMs) }),
    connection: (served) => write('connection_served', { ...served, ...rounded(served.durationMs) }),
  };
}

function rounded(durationMs: number): { durationMs: number } {
  return { durationMs: Math.round(durationMs * 1000) / 1000 };
}
