/**
 * What a head of HTTP/1.1 says about the message behind it (RFC 9112 §2, §6). Types only: request-head.ts and
 * response-head.ts read them, and refuse whatever two readers could understand differently.
 */

/** How the end of the body is found (RFC 9112 §6.3). `close`: answers only, the body ends with the connection. */
export type BodyKind = 'none' | 'length' | 'chunked' | 'close';

export interface Framing {
  readonly kind: BodyKind;
  /** Bytes; 0 unless `length`. */
  readonly length: number;
}

export interface HeadLimits {
  /** Of the whole head, start line and final empty line included. */
  readonly bytes: number;
  /** Field lines. */
  readonly fields: number;
}

interface Head {
  readonly minor: 0 | 1;
  readonly framing: Framing;
  /** The connection may carry another message after this one, as far as this side says (RFC 9112 §9.3). */
  readonly keepAlive: boolean;
  /** Lower case protocol names when both `Connection: upgrade` and `Upgrade` are there, else ''. */
  readonly upgrade: string;
  /** Field lines to forward, each with its CRLF, untouched and in order; without the hop-by-hop ones, those that `Connection` lists, and the stripped ones. */
  readonly fields: string;
  /** Trailers were announced with `TE: trailers` (request) or `Trailer` (either). */
  readonly trailers: boolean;
}

export interface RequestHead extends Head {
  readonly method: string;
  /** As it came: origin, absolute, authority or asterisk form; already checked (RFC 9112 §3.2). */
  readonly target: string;
  /** Value of the one Host field; '' only in HTTP/1.0. */
  readonly host: string;
  readonly expectsContinue: boolean;
}

export interface ResponseHead extends Head {
  readonly status: number;
  readonly reason: string;
}
