/**
 * Which of the inbound apps a CONNECT asks for. The port names the app; the host must be one that this sidecar can
 * stand for: a peer that mistook us for another is told so instead of being served. Pure.
 */
import { isIP, isIPv6 } from 'node:net';

export interface Authority {
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
}

/** RFC 9112 §3.2.3, RFC 3986 §3.2: host and port, both there, no user. @returns undefined when it is not that */
export function parseAuthority(text: string): Authority | undefined {
  const match = /^(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?)):([1-9]\d{0,4})$/i.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65_535) return undefined;
  if (match[1] !== undefined && !isIPv6(match[1])) return undefined;
  return { host: (match[1] ?? match[2]!).toLowerCase(), port };
}

/** An address must be the one that was connected to; a name is the caller's own way of finding us. */
export function isOurs({ host }: Authority, localAddress: string | undefined): boolean {
  if (isIP(host) === 0) return true;
  return host === plain(localAddress ?? '');
}

/** An IPv4 peer on a dual-stack socket: `::ffff:10.0.0.1`. */
function plain(address: string): string {
  return address.toLowerCase().replace(/^::ffff:(?=\d+\.)/, '');
}
