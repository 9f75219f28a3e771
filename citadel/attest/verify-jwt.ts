/**
 * Is this token signed by that key? The algorithm comes from the closed list, and the key must have been made
 * for it: a token can neither choose a weaker algorithm nor use a key for something else.
 */
import { constants, type KeyObject, verify } from 'node:crypto';
import { Refusal } from '../../shared/errors/refusal.ts';
import { keyFits } from './jwt-algorithms.ts';
import type { ParsedJwt } from './parse-jwt.ts';

/** A public key of an issuer. */
export interface VerificationKey {
  readonly keyId: string;
  readonly key: KeyObject;
  /** RFC 7517 §4.4: the only algorithm the key may be used with, when its publisher says so. */
  readonly algorithm?: string;
}

/** @throws {Refusal} token_algorithm_forbidden, token_signature_invalid */
export function verifyJwt({ algorithm, signed, signature }: ParsedJwt, trusted: VerificationKey): void {
  const { key, algorithm: only = algorithm.name } = trusted;
  if (only !== algorithm.name || !keyFits(algorithm, key)) {
    throw new Refusal(
      'token_algorithm_forbidden',
      `${algorithm.name} does not fit the ${key.asymmetricKeyType} key of the issuer`,
    );
  }
  const input = Buffer.from(signed, 'ascii');
  // RFC 7518 §3.4: r and s side by side, each of full length.
  const sized = algorithm.signatureBytes === undefined || signature.length === algorithm.signatureBytes;
  const options =
    algorithm.keyType === 'ec'
      ? ({ key, dsaEncoding: 'ieee-p1363' } as const)
      : // RFC 7518 §3.5: the salt is as long as the hash.
        { key, padding: algorithm.padding!, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
  if (!sized || !verify(algorithm.hash, input, options, signature)) throw new Refusal('token_signature_invalid');
}
