/**
 * Why bytes are not taken for HTTP/1.1. The relay makes a refusal of its own table out of it, by who sent them. The
 * words are ours alone: never a byte of what came.
 */

/** `malformed`: two readers could read it differently, or not at all. `too_large`: a limit of ours. */
export type Http1Fault = 'malformed' | 'too_large';

/** RFC 9110 §15.5.1; RFC 6585 §5. */
const STATUS = { malformed: 400, too_large: 431 } as const satisfies Record<Http1Fault, number>;

export class Http1Error extends Error {
  readonly code: Http1Fault;
  /** What a caller is answered, when it was a caller's. */
  readonly status: 400 | 431;
  /** For our own log: the rule that does not hold. */
  readonly detail: string;

  constructor(code: Http1Fault, detail: string) {
    super(detail);
    this.name = 'Http1Error';
    this.code = code;
    this.status = STATUS[code];
    this.detail = detail;
  }
}

export function malformed(detail: string): Http1Error {
  return new Http1Error('malformed', detail);
}

export function tooLarge(detail: string): Http1Error {
  return new Http1Error('too_large', detail);
}
