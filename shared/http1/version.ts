/** HTTP-version as it stands in both start lines (RFC 9112 §2.3): `HTTP/1.0` or `HTTP/1.1`, in capitals, and no other. */
import { malformed } from './http1-error.ts';

const BEGIN = Buffer.from('HTTP/1.', 'latin1');

export const VERSION_BYTES = BEGIN.length + 1;

/** @throws {Http1Error} */
export function versionAt(bytes: Uint8Array, from: number): 0 | 1 {
  for (let at = 0; at < BEGIN.length; at++) if (bytes[from + at] !== BEGIN[at]) throw malformed('HTTP version');
  const minor = bytes[from + BEGIN.length];
  if (minor === 0x31) return 1;
  if (minor === 0x30) return 0;
  throw malformed('HTTP version');
}
