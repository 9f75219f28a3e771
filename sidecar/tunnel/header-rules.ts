/**
 * Which header lists are well-formed (RFC 9113 §8.2, §8.3, §8.5). A malformed one costs its stream, not the session.
 * It judges only form: whether an authority may be reached is not decided here.
 */
import type { Field } from './hpack-tables.ts';

export type Heading =
  /** `headers` without the pseudo-headers. */
  | { readonly kind: 'connect'; readonly authority: string; readonly headers: readonly Field[] }
  /** A request that is well-formed, but for something other than a tunnel. */
  | { readonly kind: 'other' }
  | { readonly kind: 'answer'; readonly status: number }
  | { readonly kind: 'malformed'; readonly why: string };

/** RFC 9113 §8.2.2. */
const OF_CONNECTIONS = new Set(['connection', 'proxy-connection', 'keep-alive', 'transfer-encoding', 'upgrade']);
const REQUEST_PSEUDO = new Set([':method', ':scheme', ':authority', ':path']);
const ANSWER_PSEUDO = new Set([':status']);
/** RFC 9113 §8.2.1: no controls, spaces, upper case, colons or octets above 0x7e. */
const NAME = /^[!-9;-@[-~]+$/;
/** RFC 9113 §8.2.1: no NUL, LF or CR anywhere, no space or tab at the ends. */
const BAD_VALUE = /[\0\n\r]|^[ \t]|[ \t]$/;

export function readRequest(fields: readonly Field[]): Heading {
  const pseudo = new Map<string, string>();
  const why = check(fields, REQUEST_PSEUDO, pseudo);
  if (why !== undefined) return { kind: 'malformed', why };
  const method = pseudo.get(':method');
  const authority = pseudo.get(':authority');
  if (method === undefined) return { kind: 'malformed', why: 'no :method' };
  if (method !== 'CONNECT') {
    // RFC 9113 §8.3.1: exactly one scheme and a path that is not empty.
    if (pseudo.has(':scheme') && pseudo.get(':path')) return { kind: 'other' };
    return { kind: 'malformed', why: 'no :scheme or no :path' };
  }
  // RFC 9113 §8.5: CONNECT has an authority and nothing else.
  if (!authority || pseudo.size !== 2) return { kind: 'malformed', why: 'CONNECT with other pseudo-headers' };
  return { kind: 'connect', authority, headers: fields.slice(pseudo.size) };
}

export function readAnswer(fields: readonly Field[]): Heading {
  const pseudo = new Map<string, string>();
  const why = check(fields, ANSWER_PSEUDO, pseudo);
  if (why !== undefined) return { kind: 'malformed', why };
  const status = pseudo.get(':status') ?? '';
  // RFC 9113 §8.6: there is no 101 in HTTP/2.
  if (!/^[1-5]\d\d$/.test(status) || status === '101') return { kind: 'malformed', why: 'no valid :status' };
  return { kind: 'answer', status: Number(status) };
}

/** Whether a list could begin a stream. Trailers of a stream that is over cannot. */
export function hasPseudoHeaders(fields: readonly Field[]): boolean {
  return fields.some(([name]) => name.startsWith(':'));
}

/** Collects the pseudo-headers. @returns what is wrong */
function check(fields: readonly Field[], known: ReadonlySet<string>, pseudo: Map<string, string>): string | undefined {
  let isRegular = false;
  for (const [name, value] of fields) {
    if (BAD_VALUE.test(value)) return 'a value with a forbidden octet';
    if (!name.startsWith(':')) {
      isRegular = true;
      if (!NAME.test(name)) return 'a name with a forbidden octet';
      // RFC 9113 §8.2.2: TE may only say `trailers`.
      if (OF_CONNECTIONS.has(name) || (name === 'te' && value !== 'trailers')) return `the field ${name}`;
      continue;
    }
    // RFC 9113 §8.3: only defined ones, each once, all before regular fields.
    if (isRegular || !known.has(name) || pseudo.has(name)) return 'a pseudo-header out of place';
    pseudo.set(name, value);
  }
  return undefined;
}
