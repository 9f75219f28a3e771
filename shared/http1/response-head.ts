/**
 * The head of an answer (RFC 9112 §4), read strictly. The one who answers is less suspect than a caller, but an answer
 * that ends elsewhere for the next reader poisons a shared connection.
 */
import { CR, isDigit, LF, SP, VALUE } from './characters.ts';
import type { FieldNames } from './field-names.ts';
import { FieldScan } from './field-scan.ts';
import type { Framing, HeadLimits, RawHead, ResponseHead } from './head.ts';
import { malformed } from './http1-error.ts';
import { checkLengths, framingOf, keepsAlive, NO_BODY, UNTIL_CLOSE } from './message-framing.ts';
import { VERSION_BYTES, versionAt } from './version.ts';

const STATUS_BYTES = 3;

/**
 * @param strip as in `parseRequestHead`
 * @param requestMethod of the request that it answers: some answers have no body (RFC 9112 §6.3)
 * @throws {Http1Error}
 */
export function parseResponseHead(
  head: RawHead,
  limits: HeadLimits,
  strip: FieldNames,
  requestMethod: string,
): ResponseHead {
  const { bytes, from } = head;
  const minor = versionAt(bytes, from);
  const statusFrom = from + VERSION_BYTES + 1;
  const status = statusAt(bytes, statusFrom);
  const reasonFrom = statusFrom + STATUS_BYTES;
  const lineEnd = endOfReason(bytes, reasonFrom);
  const scan = new FieldScan(head, lineEnd + 2, limits, strip);
  checkLengths(scan, minor);
  checkInterim(scan, status, minor);
  const framing = framingOfAnswer(scan, status, requestMethod);
  const isSwitch = status === 101;
  // RFC 9110 §7.8: a server that switches says to what.
  if (isSwitch && (!scan.upgradeListed || scan.upgrade === '')) throw malformed('Upgrade');
  return {
    status,
    minor,
    framing,
    statusLine: minor === 1 && bytes[reasonFrom] === SP ? '' : statusLine(status, head, reasonFrom + 1, lineEnd),
    keepAlive: framing.kind !== 'close' && keepsAlive(scan, minor) && !mayBeFollowedByBody(scan, status),
    upgrade: isSwitch ? scan.upgrade : '',
    kept: scan.kept(leftOut(scan, status)),
    trailers: scan.announcesTrailers && scan.codings > 0,
    isGrpc: scan.isGrpc,
    grpcStatus: scan.grpcStatus,
  };
}

/**
 * The status line alone, for a reader that has not more yet.
 * @throws {Http1Error}
 */
export function checkStatusLine(line: string): void {
  const bytes = Buffer.from(`${line}\r\n`, 'latin1');
  versionAt(bytes, 0);
  statusAt(bytes, VERSION_BYTES + 1);
  endOfReason(bytes, VERSION_BYTES + 1 + STATUS_BYTES);
}

/** RFC 9112 §4: one SP before, three digits. RFC 9110 §15: from 100 to 599. */
function statusAt(bytes: Uint8Array, from: number): number {
  if (bytes[from - 1] !== SP) throw malformed('status line');
  let status = 0;
  for (let at = from; at < from + STATUS_BYTES; at++) {
    if (!isDigit(bytes[at])) throw malformed('status');
    status = status * 10 + (bytes[at]! - 0x30);
  }
  if (status < 100 || status > 599) throw malformed('status');
  return status;
}

/** RFC 9112 §4: the reason may be empty; the SP before it is left out by many then, and nothing depends on it. */
function endOfReason(bytes: Uint8Array, from: number): number {
  let at = from;
  if (bytes[at] === SP) while (VALUE[bytes[at]!] === 1) at++;
  if (bytes[at] !== CR || bytes[at + 1] !== LF) throw malformed('status line');
  return at;
}

/** RFC 9110 §2.5: an intermediary sends its own version. RFC 9112 §4: the SP behind the status is never left out. */
function statusLine(status: number, { bytes }: RawHead, reasonFrom: number, lineEnd: number): string {
  return `HTTP/1.1 ${status} ${bytes.toString('latin1', Math.min(reasonFrom, lineEnd), lineEnd)}`;
}

/** RFC 9110 §8.6 and RFC 9112 §6.1: neither length may stand in an interim answer, whose end is where the next one begins. */
function checkInterim(scan: FieldScan, status: number, minor: 0 | 1): void {
  if (status >= 200) return;
  if (scan.lengths > 0 || scan.codings > 0) throw malformed('a length in an interim answer');
  // RFC 9110 §15.2: HTTP/1.0 has none. Some readers take its connection to end with the first head.
  if (minor === 0) throw malformed('an interim answer in HTTP/1.0');
}

function framingOfAnswer(scan: FieldScan, status: number, requestMethod: string): Framing {
  // RFC 9112 §6.3 (1): these have no body, whatever their head says.
  if (status < 200 || status === 204 || status === 304 || requestMethod === 'HEAD') return NO_BODY;
  // RFC 9112 §6.3 (2): what follows belongs to the tunnel.
  if (requestMethod === 'CONNECT' && status < 300) return NO_BODY;
  // RFC 9112 §6.3 (8)
  return framingOf(scan, UNTIL_CLOSE);
}

/** RFC 9110 §8.6, RFC 9112 §6.1: a 204 that tells a length is faulty, and such a server may send what it told of. */
function mayBeFollowedByBody(scan: FieldScan, status: number): boolean {
  return status === 204 && (scan.length > 0 || scan.codings > 0);
}

const NOTHING: readonly string[] = [];

function leftOut(scan: FieldScan, status: number): readonly string[] {
  // RFC 9110 §6.6.2: Trailer announces what only a chunked message can carry.
  const trailer = scan.announcesTrailers && scan.codings === 0;
  // RFC 9110 §8.6: a reader of a 204 that believed its length would wait.
  const length = status === 204 && scan.lengths > 0;
  if (!trailer && !length) return NOTHING;
  return [...(trailer ? ['trailer'] : []), ...(length ? ['content-length'] : [])];
}
