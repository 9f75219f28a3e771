/** An IP address as the octets of an iPAddress name (RFC 5280 §4.2.1.6): 4 for IPv4, 16 for IPv6. Pure. */
import { isIPv4, isIPv6 } from 'node:net';

/** @throws {TypeError} when the text is no IP address, or has a zone */
export function addressBytes(text: string): Buffer {
  if (isIPv4(text)) return Buffer.from(text.split('.').map(Number));
  if (!isIPv6(text) || text.includes('%')) throw new TypeError(`${text} is not an IP address`);
  const [head = '', tail] = withoutDottedQuad(text).split('::');
  const front = groupsOf(head);
  const back = tail === undefined ? [] : groupsOf(tail);
  const zeros = new Array<number>(8 - front.length - back.length).fill(0);
  return Buffer.from([...front, ...zeros, ...back].flatMap((group) => [group >> 8, group & 0xff]));
}

function groupsOf(text: string): number[] {
  return text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
}

/** RFC 4291 §2.2, form 3: the last four octets may be written as an IPv4 address. */
function withoutDottedQuad(text: string): string {
  const at = text.lastIndexOf(':') + 1;
  const quad = text.slice(at);
  if (!quad.includes('.')) return text;
  const [a = 0, b = 0, c = 0, d = 0] = quad.split('.').map(Number);
  return `${text.slice(0, at)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}
