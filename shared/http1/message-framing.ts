/** Where a message ends, by its field lines (RFC 9112 §6). Whatever two readers could end in different places is refused. */
import type { FieldScan } from './field-scan.ts';
import type { Framing } from './head.ts';
import { malformed } from './http1-error.ts';

export const NO_BODY: Framing = { kind: 'none', length: 0 };
export const CHUNKED_BODY: Framing = { kind: 'chunked', length: 0 };
export const UNTIL_CLOSE: Framing = { kind: 'close', length: 0 };

/** @throws {Http1Error} when the message has no one length */
export function checkLengths(scan: FieldScan, minor: 0 | 1): void {
  // RFC 9112 §6.3 (5) lets equal lengths pass; whoever sends two is not trusted to mean one.
  if (scan.lengths > 1) throw malformed('several Content-Length');
  if (scan.codings === 0) return;
  // RFC 9112 §7.1: chunked may not be applied twice.
  if (scan.codings > 1) throw malformed('several Transfer-Encoding');
  // RFC 9112 §6.1, §6.3 (3): what request smuggling is made of.
  if (scan.lengths > 0) throw malformed('Content-Length beside Transfer-Encoding');
  // RFC 9112 §6.1: HTTP/1.0 does not know it, and such a message is to be treated as faulty.
  if (minor === 0) throw malformed('Transfer-Encoding in HTTP/1.0');
}

/** By the length that was told; `otherwise` when none was. */
export function framingOf(scan: FieldScan, otherwise: Framing): Framing {
  if (scan.codings > 0) return CHUNKED_BODY;
  if (scan.lengths === 0) return otherwise;
  return scan.length === 0 ? NO_BODY : { kind: 'length', length: scan.length };
}

/** RFC 9112 §9.3. */
export function keepsAlive(scan: FieldScan, minor: 0 | 1): boolean {
  return !scan.close && (minor === 1 || scan.keepAlive);
}
