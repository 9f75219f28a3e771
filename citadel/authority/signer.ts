/**
 * Who holds the key of an authority. The rest of citadel hands over bytes and gets a signature; it never sees the
 * key, so another keeper (an HSM) can stand here.
 */
import type { KeyObject } from 'node:crypto';

export interface Signer {
  readonly publicKey: KeyObject;
  /** SubjectPublicKeyInfo in DER. */
  readonly spki: Buffer;
  /** AlgorithmIdentifier in DER, as it stands in what is signed and beside the signature (RFC 5280 §4.1.1.2). */
  readonly algorithm: Buffer;
  sign(bytes: Uint8Array): Buffer;
}
