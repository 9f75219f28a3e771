/**
 * What of a header or trailer section goes on to the next hop (RFC 9110 §7.6.1). Pure. It removes what belongs to
 * one connection; it never adds anything. There is no Via: servers behind a sidecar would see a proxy and, for
 * instance, stop compressing.
 */
import type { RawHeaders } from './raw-headers.ts';

/** RFC 9110 §7.6.1 and §11.7, RFC 9113 §3.1 (HTTP2-Settings): for one connection only. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'te',
  'transfer-encoding',
  'upgrade',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-authentication-info',
  'http2-settings',
]);

/** Fields that a sender cannot have removed by listing them in Connection: without them a message means something else. */
const NOT_FOR_LISTING: ReadonlySet<string> = new Set(['host', 'content-length', 'expect', 'trailer']);

/** RFC 9110 §6.5.1: fields that frame, route or authenticate are not taken from a trailer section. */
const NOT_IN_TRAILERS: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'trailer',
  'content-encoding',
  'content-type',
  'content-range',
  'authorization',
  'cookie',
  'set-cookie',
  'cache-control',
  'expect',
  'max-forwards',
  'range',
]);

/**
 * @param listed lowercase options of Connection
 * @param dropped says of a lowercase name whether it does not go on for another reason
 */
export function endToEnd(
  raw: RawHeaders,
  listed: readonly string[],
  dropped: (name: string) => boolean = () => false,
): string[] {
  const kept: string[] = [];
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]!.toLowerCase();
    if (HOP_BY_HOP.has(name) || dropped(name)) continue;
    if (listed.includes(name) && !NOT_FOR_LISTING.has(name)) continue;
    kept.push(raw[at]!, raw[at + 1]!);
  }
  return kept;
}

/** Name and value pairs, as node:http's `addTrailers` takes them. */
export function endToEndTrailers(
  raw: RawHeaders,
  dropped: (name: string) => boolean = () => false,
): [string, string][] {
  const kept: [string, string][] = [];
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]!.toLowerCase();
    if (HOP_BY_HOP.has(name) || NOT_IN_TRAILERS.has(name) || dropped(name)) continue;
    kept.push([raw[at]!, raw[at + 1]!]);
  }
  return kept;
}
