/**
 * What a head of HTTP/1.1 says about the message behind it (RFC 9112 §2, §6). Types only: request-head.ts and
 * response-head.ts read them, and refuse whatever two readers could understand differently.
 */
import type { KeptHead } from './kept-head.ts';

/** A whole head as it came: start line and field lines, each with its CRLF, without the final empty line. */
export interface RawHead {
  /** Holds the head from `from` to `to`; valid only while the sender's buffer is. */
  readonly bytes: Buffer;
  readonly from: number;
  readonly to: number;
  /** The same bytes as latin1. */
  readonly text: string;
}

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
  /** What goes on of it: not the hop-by-hop fields, those that `Connection` lists, and the stripped ones. */
  readonly kept: KeptHead;
  /** Trailers were announced with `TE: trailers` (request) or `Trailer` (either). */
  readonly trailers: boolean;
}

export interface RequestHead extends Head {
  readonly method: string;
  /** As it came: origin, absolute, authority or asterisk form; already checked (RFC 9112 §3.2). */
  readonly target: string;
  /** Value of the one Host field; '' only in HTTP/1.0. */
  readonly host: string;
  /** Only in HTTP/1.1 (RFC 9110 §10.1.1); in HTTP/1.0 `Expect` is left out of `kept`. */
  readonly expectsContinue: boolean;
  /** The X-Request-Id, when there is exactly one that may go into a log; else '' and `kept` has none. */
  readonly requestId: string;
  /** `Content-Length` is among the fields that are kept. */
  readonly tellsLength: boolean;
  /** `TE` lists `trailers` (RFC 9110 §10.1.4): the wish may be told on, as an option of the next connection. */
  readonly wantsTrailers: boolean;
}

export interface ResponseHead extends Head {
  readonly status: number;
  /** The status line that goes on in place of the one that came; '' when that one may. */
  readonly statusLine: string;
  /** By its Content-Type. */
  readonly isGrpc: boolean;
  /** Of an answer that tells it in the head, else ''. */
  readonly grpcStatus: string;
}
