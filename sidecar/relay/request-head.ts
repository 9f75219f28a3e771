/**
 * The header section that goes upstream: what came, less what belongs to the connection it came by and what only
 * sidecars may say, plus what this sidecar says. Pure.
 */
import { endToEnd } from './hop-by-hop.ts';
import { isIdentityHeader, PEER_HEADER } from './identity-headers.ts';
import type { RawHeaders } from './raw-headers.ts';
import { isRequestId, REQUEST_ID_NAME } from './request-id.ts';
import type { CheckedRequest } from './request-rules.ts';

export interface SidecarFields {
  /** Value of X-Forwarded-Client-Cert; absent where the caller is the own app. */
  readonly peer: string | undefined;
  /** Replaces what the caller sent as x-request-id; absent when the caller's stays. */
  readonly newRequestId: string | undefined;
}

/** The caller's request id, when it sent exactly one that can go into a log. */
export function requestIdIn(raw: RawHeaders): string | undefined {
  let found: string | undefined;
  for (let at = 0; at < raw.length; at += 2) {
    if (raw[at]!.toLowerCase() !== REQUEST_ID_NAME) continue;
    if (found !== undefined) return undefined;
    found = raw[at + 1]!;
  }
  return found !== undefined && isRequestId(found) ? found : undefined;
}

export function requestHead(method: string, raw: RawHeaders, checked: CheckedRequest, own: SidecarFields): string[] {
  const { scan, hasBody, chunked, expectsContinue } = checked;
  const head = endToEnd(raw, scan.connectionOptions, (name) => {
    // RFC 9110 §6.6.2: Trailer announces what only a chunked message can carry.
    if (name === 'trailer') return !chunked;
    if (name === 'expect') return !expectsContinue;
    return isReplaced(name, own);
  });
  if (chunked) head.push('Transfer-Encoding', 'chunked');
  // RFC 9110 §8.6: without it a server could wait for the body that such a method usually has.
  else if (!hasBody && scan.lengths.length === 0 && !BODILESS.has(method)) head.push('Content-Length', '0');
  addOwnFields(head, own);
  // RFC 9110 §10.1.4: trailers are forwarded here, so the wish for them is too, as an option of the new connection.
  if (scan.wantsTrailers) head.push('TE', 'trailers', 'Connection', 'keep-alive, TE');
  return head;
}

/** The head of a request to switch to `protocol`, which has no body. */
export function upgradeHead(raw: RawHeaders, checked: CheckedRequest, protocol: string, own: SidecarFields): string[] {
  const head = endToEnd(raw, checked.scan.connectionOptions, (name) => ABOUT_A_BODY.has(name) || isReplaced(name, own));
  addOwnFields(head, own);
  // RFC 9110 §7.8: Upgrade is an option of this connection and has to be listed as one.
  head.push('Upgrade', protocol, 'Connection', 'Upgrade');
  return head;
}

/** Methods whose requests node:http sends without a body unless told otherwise. */
const BODILESS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE']);

const ABOUT_A_BODY: ReadonlySet<string> = new Set(['content-length', 'trailer', 'expect']);

function isReplaced(name: string, { newRequestId }: SidecarFields): boolean {
  return isIdentityHeader(name) || (newRequestId !== undefined && name === REQUEST_ID_NAME);
}

function addOwnFields(head: string[], { peer, newRequestId }: SidecarFields): void {
  if (newRequestId !== undefined) head.push('X-Request-Id', newRequestId);
  if (peer !== undefined) head.push(PEER_HEADER, peer);
}
