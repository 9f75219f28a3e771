/**
 * What an answer must be before it is forwarded, and its header section as it goes on. The one who answers is
 * less suspect than a caller, but an answer that ends elsewhere for the next reader poisons a shared connection.
 * Pure.
 */
import type { IncomingMessage } from 'node:http';
import { Refusal, type RefusalCode } from '../../shared/errors/refusal.ts';
import { endToEnd } from './hop-by-hop.ts';
import { isIdentityHeader } from './identity-headers.ts';
import { type HeaderScan, scanHeaders } from './raw-headers.ts';
import { isChunked } from './request-rules.ts';
import type { Upstream } from './upstream.ts';

/** The code for an answer that is no HTTP, by who gave it. */
export const MALFORMED: Readonly<Record<Upstream['kind'], RefusalCode>> = {
  app: 'app_malformed',
  peer: 'upstream_malformed',
};

/** @throws {Refusal} app_malformed or upstream_malformed */
export function checkAnswer(answer: IncomingMessage, from: Upstream['kind']): HeaderScan {
  const scan = scanHeaders(answer.rawHeaders);
  // RFC 9112 §6.1: other codings would have to be undone here, and both lengths at once have no one meaning.
  if (scan.codings.length > 1 || !scan.codings.every(isChunked))
    throw new Refusal(MALFORMED[from], 'Transfer-Encoding');
  if (scan.lengths.length > 1) throw new Refusal(MALFORMED[from], 'Content-Length');
  if (scan.lengths.length > 0 && scan.codings.length > 0)
    throw new Refusal(MALFORMED[from], 'Content-Length beside Transfer-Encoding');
  return scan;
}

/**
 * @param from an app may not speak in the name of a sidecar; a peer is one, and its refusals are told on
 * @param chunked whether the answer can carry trailers to the caller
 */
export function answerHead(
  answer: IncomingMessage,
  scan: HeaderScan,
  from: Upstream['kind'],
  chunked: boolean,
): string[] {
  return endToEnd(answer.rawHeaders, scan.connectionOptions, (name) => {
    if (name === 'trailer') return !chunked;
    return from === 'app' && isIdentityHeader(name);
  });
}
