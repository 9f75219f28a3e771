/** Field lines byte by byte (RFC 9112 §5): the same rules in a header section and in trailers. */
import { COLON, CR, LF, TOKEN, VALUE } from './characters.ts';
import { malformed } from './http1-error.ts';

/**
 * RFC 9112 §5: a name is a token. §5.1: no whitespace before the colon. §5.2, §2.2: no line begins with whitespace.
 * @returns where the colon is
 * @throws {Http1Error}
 */
export function endOfName(bytes: Uint8Array, from: number): number {
  let at = from;
  while (TOKEN[bytes[at]!] === 1) at++;
  if (at === from || bytes[at] !== COLON) throw malformed('field name');
  return at;
}

/**
 * RFC 9110 §5.5: a value has no control characters. RFC 9112 §2.2: CR and LF stand only together.
 * @returns where the next line begins
 * @throws {Http1Error}
 */
export function endOfLine(bytes: Uint8Array, from: number): number {
  let at = from;
  while (VALUE[bytes[at]!] === 1) at++;
  if (bytes[at] !== CR || bytes[at + 1] !== LF) throw malformed('field value');
  return at + 2;
}
