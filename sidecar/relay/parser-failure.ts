/** From what node:http's parser and timers say about a connection to the code in our table. Pure. */
import { Refusal } from '../../shared/errors/refusal.ts';

/** @returns undefined when the connection itself failed: nobody is there any more to be told */
export function refusalOfParser(error: NodeJS.ErrnoException & { reason?: string }): Refusal | undefined {
  const { code = '', reason } = error;
  if (code === 'HPE_HEADER_OVERFLOW') return new Refusal('http_headers_too_large', 'bytes');
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new Refusal('http_request_timeout', 'head');
  // The words are the parser's own, never the caller's.
  if (code.startsWith('HPE_')) return new Refusal('http_malformed', reason === undefined ? code : `${code}: ${reason}`);
  return undefined;
}
