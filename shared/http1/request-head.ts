/**
 * The head of a request (RFC 9112 §3), read strictly: one rule, one clause. It lets nothing pass that another reader
 * could understand differently, because there is another reader behind. It authorises nothing.
 */
import { CR, LF, SP, TARGET, TOKEN } from './characters.ts';
import type { FieldNames } from './field-names.ts';
import { FieldScan } from './field-scan.ts';
import type { HeadLimits, RawHead, RequestHead } from './head.ts';
import { malformed } from './http1-error.ts';
import { checkLengths, framingOf, keepsAlive, NO_BODY } from './message-framing.ts';
import { methodText } from './request-method.ts';
import { isAuthority, isTarget } from './request-target.ts';
import { VERSION_BYTES, versionAt } from './version.ts';

/** Longer than every registered method. */
const MOST_METHOD_BYTES = 32;

/**
 * @param strip names that do not go on
 * @throws {Http1Error}
 */
export function parseRequestHead(head: RawHead, limits: HeadLimits, strip: FieldNames): RequestHead {
  const { bytes, from, text } = head;
  const methodEnd = endOfMethod(bytes, from);
  const targetEnd = endOfTarget(bytes, methodEnd + 1);
  const minor = versionAt(bytes, targetEnd + 1);
  const lineEnd = targetEnd + 1 + VERSION_BYTES;
  // RFC 9112 §3: nothing stands behind the version. §2.2: CR and LF only together.
  if (bytes[lineEnd] !== CR || bytes[lineEnd + 1] !== LF) throw malformed('request line');
  const scan = new FieldScan(head, lineEnd + 2, limits, strip);
  checkHost(scan, minor);
  checkLengths(scan, minor);
  // To readers in the tradition of CGI these are framing fields, to others they are not.
  if (scan.disguised) throw malformed('a framing field in disguise');
  if (scan.expectations > 1) throw malformed('several Expect');
  const method = methodText(bytes, from, methodEnd);
  const target = text.slice(methodEnd + 1 - from, targetEnd - from);
  // RFC 9113 §11.6: reserved for the preface of HTTP/2.
  if (method === 'PRI') throw malformed('method');
  if (!isTarget(method, target, scan.host)) throw malformed('request target');
  // RFC 9110 §9.3.6: it has no content; with a length, some read a body and others the bytes of the tunnel.
  if (method === 'CONNECT' && scan.lengths + scan.codings > 0) throw malformed('a length in CONNECT');
  return {
    method,
    target,
    minor,
    host: scan.host,
    framing: framingOf(scan, NO_BODY), // RFC 9112 §6.3 (7)
    keepAlive: keepsAlive(scan, minor),
    // RFC 9110 §7.8: of HTTP/1.0 it is to be ignored.
    upgrade: scan.upgradeListed && minor === 1 ? scan.upgrade : '',
    kept: scan.kept(leftOut(scan, minor)),
    tellsLength: scan.lengths > 0,
    trailers: scan.wantsTrailers || (scan.announcesTrailers && scan.codings > 0),
    wantsTrailers: scan.wantsTrailers,
    requestId: scan.requestId,
    expectsContinue: scan.expectations > 0 && minor === 1,
  };
}

/**
 * The request line alone, for a reader that has not more yet.
 * @throws {Http1Error}
 */
export function checkRequestLine(line: string): void {
  const bytes = Buffer.from(line, 'latin1');
  const targetEnd = endOfTarget(bytes, endOfMethod(bytes, 0) + 1);
  versionAt(bytes, targetEnd + 1);
  if (bytes.length !== targetEnd + 1 + VERSION_BYTES) throw malformed('request line');
}

/** RFC 9110 §9.1: a token. RFC 9112 §3: behind it one SP. */
function endOfMethod(bytes: Uint8Array, from: number): number {
  let at = from;
  while (TOKEN[bytes[at]!] === 1) at++;
  if (at === from || at - from > MOST_METHOD_BYTES || bytes[at] !== SP) throw malformed('method');
  return at;
}

/** RFC 9112 §3.2: no whitespace, no control characters, no fragment. §3: behind it one SP, so HTTP/0.9 ends here. */
function endOfTarget(bytes: Uint8Array, from: number): number {
  let at = from;
  while (TARGET[bytes[at]!] === 1) at++;
  if (at === from || bytes[at] !== SP) throw malformed('request target');
  return at;
}

/** RFC 9112 §3.2: exactly one in HTTP/1.1, and a valid one. HTTP/1.0 did not know it. */
function checkHost(scan: FieldScan, minor: 0 | 1): void {
  if (scan.hosts === 0 && minor === 0) return;
  if (scan.hosts !== 1 || !isAuthority(scan.host)) throw malformed('Host');
}

const NOTHING: readonly string[] = [];

function leftOut(scan: FieldScan, minor: 0 | 1): readonly string[] {
  // RFC 9110 §6.6.2: Trailer announces what only a chunked message can carry.
  const trailer = scan.announcesTrailers && scan.codings === 0;
  // RFC 9110 §10.1.1: of HTTP/1.0 it is to be ignored.
  const expect = scan.expectations > 0 && minor === 0;
  const id = scan.hasUselessRequestId;
  if (!trailer && !expect && !id) return NOTHING;
  return [...(trailer ? ['trailer'] : []), ...(expect ? ['expect'] : []), ...(id ? ['x-request-id'] : [])];
}
