/**
 * The path that a request asks for, from the target in its first line. A server must take the absolute form too
 * (RFC 9112 §3.2.2), which proxies and some clients send. All names of citadel lead to the same calls, so the host
 * in it is read over like the Host field, which it replaces; what could mean another server is refused. Pure.
 */
import { Refusal } from '../../shared/errors/refusal.ts';

const ABSOLUTE = /^[a-z][a-z0-9+.-]*:\/\//i;
/** RFC 9110 §4.2.2: a host must be there; §4.2.4: no user in front of it. RFC 3986 §3.2.2: name, IPv4 or [IPv6]. */
const OURS = /^https:\/\/(?:[\w.~-]+|\[[0-9a-f:.]+\])(?::[0-9]{0,5})?(?=$|[/?])/i;

/** @returns the path without query, as it was sent. @throws {Refusal} request_malformed */
export function pathOf(target: string): string {
  const pathAndQuery = target.startsWith('/') ? target : withoutOrigin(target);
  const query = pathAndQuery.indexOf('?');
  return query < 0 ? pathAndQuery : pathAndQuery.slice(0, query);
}

/** Targets of other forms (`*`, `host:port`) name no path and stay as they are: no call answers to them. */
function withoutOrigin(target: string): string {
  if (!ABSOLUTE.test(target)) return target;
  const origin = OURS.exec(target)?.[0];
  // RFC 9110 §7.4: what is meant for another scheme or server is not answered here.
  if (origin === undefined) throw new Refusal('request_malformed', 'the target is no https address of a host');
  const rest = target.slice(origin.length);
  // RFC 9110 §4.2.3: an empty path is the path `/`.
  return rest.startsWith('/') ? rest : `/${rest}`;
}
