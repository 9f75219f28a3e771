/**
 * A key object from a SubjectPublicKeyInfo, for accepted kinds of keys only. The kind is told from the bytes
 * first, so that no effort goes into a key that is refused anyway.
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { isKeyAccepted, keyKindOf } from './key-kind.ts';

/** @returns undefined when the kind is not accepted, or nobody can hold the private key (a point off its curve) */
export function publicKeyOf(spki: Buffer): KeyObject | undefined {
  try {
    return isKeyAccepted(keyKindOf(spki)) ? createPublicKey({ key: spki, format: 'der', type: 'spki' }) : undefined;
  } catch {
    // Malformed inside, or refused by OpenSSL: there is no such key.
    return undefined;
  }
}
