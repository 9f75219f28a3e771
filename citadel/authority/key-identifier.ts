/**
 * The name of a key: the first 160 bits of SHA-256 over the public key (RFC 7093 §2, method 1). Verifiers only
 * compare identifiers, so it fits beside authorities that use the older SHA-1 form.
 */
import { hash } from 'node:crypto';
import { DerReader, TAG } from '../../shared/x509/der-reader.ts';

export const KEY_IDENTIFIER_BYTES = 20;

/** @param spki SubjectPublicKeyInfo in DER. @throws {DerError} */
export function keyIdentifierOf(spki: Buffer): Buffer {
  const info = new DerReader(spki).enter(TAG.sequence);
  info.skip(TAG.sequence);
  // The first octet of a BIT STRING counts unused bits and does not belong to the key.
  return hash('sha256', info.content(TAG.bitString).subarray(1), 'buffer').subarray(0, KEY_IDENTIFIER_BYTES);
}
