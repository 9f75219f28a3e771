/**
 * What a request must be beyond its grammar, and the head that goes upstream: what came, less what belongs to the
 * connection it came by and what only sidecars may say, plus what this sidecar says. Pure. It authorises nothing.
 */
import { Refusal } from '../../shared/errors/refusal.ts';
import type { RequestHead } from '../../shared/http1/head.ts';
import type { HeadWriter } from './http1-head-writer.ts';
import { forwardedTarget } from './request-target.ts';

/** What may be switched to. h2c would carry requests past every rule here. */
export const UPGRADE = 'websocket';

/** RFC 9110 §9.3: methods whose requests usually have no body. */
const BODILESS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE']);

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

/** The head that goes upstream. @param ownFields lines that this sidecar adds */
export function putRequest(into: HeadWriter, head: RequestHead, target: string, ownFields: string): void {
  const { method, minor, kept } = head;
  into.begin();
  if (minor === 1 && target === head.target) into.whole(kept);
  // RFC 9110 §2.5: an intermediary sends its own version.
  else into.text(`${method} ${target} HTTP/1.1\r\n`).fields(kept);
  into.text(lengthField(head)).text(ownFields);
  // RFC 9110 §10.1.4: trailers are forwarded here, so the wish for them is too, as an option of the new connection.
  if (head.wantsTrailers) into.text('TE: trailers\r\nConnection: TE\r\n');
  into.text('\r\n');
}

/** The field lines of an upgrade. @param ownFields as for `putRequest` */
export function upgradeFields(head: RequestHead, ownFields: string): string {
  // RFC 9110 §7.8: Upgrade is an option of this connection and has to be listed as one.
  return `${head.kept.fields}${lengthField(head)}${ownFields}Upgrade: ${UPGRADE}\r\nConnection: Upgrade\r\n`;
}

function lengthField({ method, framing, tellsLength }: RequestHead): string {
  if (framing.kind === 'chunked') return 'Transfer-Encoding: chunked\r\n';
  // RFC 9110 §8.6: without it a server could wait for the body that such a method usually has.
  return framing.kind === 'none' && !tellsLength && !BODILESS.has(method) ? 'Content-Length: 0\r\n' : '';
}

const SLASH = 0x2f;
