/**
 * The request-target in the one form that is forwarded. Pure. It changes nothing of a path: no decoding, no
 * removal of dots or slashes, so that app and caller speak of the same thing.
 */

/** RFC 3986 §3.2.2 and §3.2.3: host and port as they may stand in Host. No userinfo, no list. */
const AUTHORITY = /^(?:\[[0-9a-f:.]{2,45}\]|[a-z0-9._~!$&'()*+;=%-]{1,255})(?::\d{0,5})?$/i;

/** RFC 9112 §3.2.2. Only http: what arrives here has left TLS behind. */
const ABSOLUTE = /^http:\/\/([^/?#]*)(.*)$/i;

export function isAuthority(text: string): boolean {
  return AUTHORITY.test(text);
}

/** @returns origin-form or `*`; undefined when the target is none of what a server may be asked (RFC 9112 §3.2) */
export function forwardedTarget(method: string, target: string, host: string): string | undefined {
  // RFC 9110 §7.1: the fragment never travels. Servers disagree on what to do with one.
  if (target.includes('#')) return undefined;
  if (target.startsWith('/')) return target;
  if (target === '*') return method === 'OPTIONS' ? target : undefined;
  const absolute = ABSOLUTE.exec(target);
  // RFC 9112 §3.2.2 lets the target win over Host: two readers could still choose differently, so they must agree.
  if (!absolute || absolute[1]!.toLowerCase() !== host.toLowerCase()) return undefined;
  const rest = absolute[2]!;
  if (rest.startsWith('/')) return rest;
  // RFC 9112 §3.2.4: OPTIONS without path asks about the server.
  return rest === '' && method === 'OPTIONS' ? '*' : `/${rest}`;
}
