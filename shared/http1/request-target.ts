/** The four forms of a request-target and the authority in them and in Host (RFC 9112 §3.2, RFC 3986 §3.2). Pure. */
import { HOST_NAME, isDigit } from './characters.ts';

const MOST_HOST_CHARACTERS = 255;
const MOST_PORT_DIGITS = 5;
const IP_LITERAL = /^\[[0-9a-f:.]{2,45}\]$/i;
/** RFC 9110 §4.2: the schemes that HTTP is asked for. */
const ABSOLUTE = /^https?:\/\/([^/?]*)/i;

/** uri-host [":" port] (RFC 9110 §7.2): not empty, no userinfo, no list. */
export function isAuthority(text: string): boolean {
  let end = text.lastIndexOf(':');
  if (end < 0 || text.charCodeAt(text.length - 1) === 0x5d) end = text.length;
  else if (!isPort(text, end + 1)) return false;
  if (text.charCodeAt(0) === 0x5b) return IP_LITERAL.test(end === text.length ? text : text.slice(0, end));
  if (end === 0 || end > MOST_HOST_CHARACTERS) return false;
  for (let at = 0; at < end; at++) if (HOST_NAME[text.charCodeAt(at)] !== 1) return false;
  return true;
}

/**
 * @param target visible ASCII without `#`
 * @param host value of Host, '' when there is none
 */
export function isTarget(method: string, target: string, host: string): boolean {
  // RFC 9112 §3.2.3: authority-form is for CONNECT, and CONNECT for it alone; there the port is not optional.
  if (method === 'CONNECT') return isAuthority(target) && /:\d+$/.test(target);
  // §3.2.1
  if (target.charCodeAt(0) === 0x2f) return true;
  // §3.2.4
  if (target === '*') return method === 'OPTIONS';
  const absolute = ABSOLUTE.exec(target);
  if (!absolute || !isAuthority(absolute[1]!)) return false;
  // §3.2.2 lets the target win over Host: two readers could still choose differently, so they must agree.
  return host === '' || absolute[1]!.toLowerCase() === host.toLowerCase();
}

/** RFC 3986 §3.2.3: may be empty. */
function isPort(text: string, from: number): boolean {
  if (text.length - from > MOST_PORT_DIGITS) return false;
  for (let at = from; at < text.length; at++) if (!isDigit(text.charCodeAt(at))) return false;
  return true;
}
