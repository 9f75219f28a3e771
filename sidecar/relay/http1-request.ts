/**
 * What a request must be beyond its grammar, and the head that goes upstream: what came, less what belongs to the
 * connection it came by and what only sidecars may say, plus what this sidecar says. Pure. It authorises nothing.
 */
import { Refusal } from '../../shared/errors/refusal.ts';
import type { RequestHead } from '../../shared/http1/head.ts';
import { forwardedTarget } from './request-target.ts';

/** What may be switched to. h2c would carry requests past every rule here. */
export const UPGRADE = 'websocket';

/** RFC 9110 §9.3: methods whose requests usually have no body. */
const BODILESS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE']);

const LENGTH = /^content-length:/im;

/** @returns the target as it is forwarded @throws {Refusal} */
export function checkRequest(head: RequestHead): string {
  const { method, target, host, framing } = head;
  // RFC 9110 §9.3.6: a reverse proxy is no tunnel.
  if (method === 'CONNECT') throw new Refusal('http_malformed', 'CONNECT');
  // RFC 9112 §3.2: the next hop speaks HTTP/1.1, where it has to be there.
  if (host === '') throw new Refusal('http_malformed', 'Host');
  if (framing.kind !== 'none' && head.upgrade.split(',').includes(UPGRADE))
    throw new Refusal('http_upgrade_with_body', 'Upgrade');
  const forwarded = target.charCodeAt(0) === SLASH ? target : forwardedTarget(method, target, host);
  if (forwarded === undefined) throw new Refusal('http_malformed', 'request target');
  return forwarded;
}

/** Whether it asks for a protocol that may be switched to; otherwise Upgrade is ignored (RFC 9110 §7.8, RFC 6455 §4.1). */
export function isUpgrade({ upgrade, method }: RequestHead): boolean {
  return upgrade === UPGRADE && method === 'GET';
}

/** @param ownFields lines that this sidecar adds */
export function requestText(head: RequestHead, target: string, ownFields: string, upgrades: boolean): string {
  const { method, fields, framing } = head;
  let own = ownFields;
  if (framing.kind === 'chunked') own = `Transfer-Encoding: chunked\r\n${own}`;
  // RFC 9110 §8.6: without it a server could wait for the body that such a method usually has.
  else if (framing.kind === 'none' && !BODILESS.has(method) && !LENGTH.test(fields))
    own = `Content-Length: 0\r\n${own}`;
  // RFC 9110 §7.8: Upgrade is an option of this connection and has to be listed as one.
  if (upgrades) own += `Upgrade: ${UPGRADE}\r\nConnection: Upgrade\r\n`;
  // RFC 9110 §10.1.4: trailers are forwarded here, so the wish for them is too, as an option of the new connection.
  else if (head.wantsTrailers) own += 'TE: trailers\r\nConnection: TE\r\n';
  // RFC 9110 §2.5: an intermediary sends its own version.
  return `${method} ${target} HTTP/1.1\r\n${fields}${own}\r\n`;
}

const SLASH = 0x2f;
