/** A header block that cannot be decoded ends the session: both sides no longer agree on the table (RFC 9113 §4.3). */
import { H2, SessionFault } from './error-codes.ts';

export function hpackFault(what: string): SessionFault {
  return new SessionFault(H2.COMPRESSION_ERROR, `header compression: ${what}`);
}
