/** Which of a message's fields go on, written once more and plainly (RFC 9110 §7.6.1), to compare the fast way with. */
import { linesOf } from './reading.ts';

const HOP_BY_HOP =
  /^(?:connection|keep-alive|te|transfer-encoding|upgrade|http2-settings|proxy-(?:connection|authenticate|authorization|authentication-info))$/;
const NEVER_LISTED = /^(?:host|content-length|expect|trailer)$/;
const STRIPPED = /^(?:x[-_]forwarded[-_]client[-_]cert|x[-_]sallyport[-_].*|x[-_]spiffe[-_].*)$/;

export interface ForwardedBy {
  readonly minor: 0 | 1;
  /** 0 for a request. */
  readonly status: number;
}

export function forwardedLines(raw: readonly string[], { minor, status }: ForwardedBy): string[] {
  const values = (wanted: string): string[] =>
    raw.filter((_, at) => at % 2 === 1 && raw[at - 1]!.toLowerCase() === wanted);
  const listed = values('connection').flatMap((value) => value.toLowerCase().split(/[ \t]*,[ \t]*/));
  const ids = values('x-request-id');
  const usefulId = status > 0 || (ids.length === 1 && /^[\w.:/+=-]{1,128}$/.test(ids[0]!));
  const chunked = values('transfer-encoding').length > 0;
  const kept: string[] = [];
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]!.toLowerCase();
    if (HOP_BY_HOP.test(name) || STRIPPED.test(name)) continue;
    if (listed.includes(name) && !NEVER_LISTED.test(name)) continue;
    if (name === 'trailer' && !chunked) continue;
    if (name === 'expect' && status === 0 && minor === 0) continue;
    if (name === 'x-request-id' && !usefulId) continue;
    if (name === 'content-length' && status === 204) continue;
    kept.push(raw[at]!, raw[at + 1]!);
  }
  return linesOf(kept);
}
