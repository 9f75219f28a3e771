/**
 * The fields behind a chunked body (RFC 9112 §7.1.2). They are checked like those of a head, and what would change
 * how a message is read, routed or trusted is refused: some readers merge trailers into the header section.
 */
import { endOfLine, endOfName } from './field-lines.ts';
import { FieldNames } from './field-names.ts';
import type { RawHead } from './head.ts';
import { malformed, tooLarge } from './http1-error.ts';

/** RFC 9110 §6.5.1: framing, routing, modifiers, authentication, content; and what belongs to a connection (§7.6.1). */
const FORBIDDEN = new FieldNames([
  'content-length',
  'transfer-encoding',
  'trailer',
  'te',
  'host',
  'forwarded',
  'x-forwarded-*',
  'connection',
  'keep-alive',
  'upgrade',
  'http2-settings',
  'proxy-*',
  'authorization',
  'www-authenticate',
  'cookie',
  'set-cookie',
  'content-encoding',
  'content-type',
  'content-range',
  'cache-control',
  'expect',
  'max-forwards',
  'range',
  'if-*',
]);

/**
 * @param section field lines alone
 * @param forbidden of the reader's own
 * @throws {Http1Error}
 */
export function checkTrailers(section: RawHead, mostFields: number, forbidden: FieldNames): void {
  const { bytes, from, to } = section;
  let count = 0;
  for (let at = from; at < to; ) {
    const start = at;
    const colon = endOfName(bytes, start);
    at = endOfLine(bytes, colon + 1);
    if (++count > mostFields) throw tooLarge('number of trailers');
    const length = colon - start;
    if (FORBIDDEN.has(bytes, start, length) || forbidden.has(bytes, start, length)) throw malformed('trailer');
  }
}
