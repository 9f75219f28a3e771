/**
 * The signature algorithms a token may use, and which key fits which of them. The list is closed: `none` and
 * every HMAC are absent, so a public key can never be taken for a shared secret (RFC 8725 §2.1, §3.1).
 */
import { constants, type KeyObject } from 'node:crypto';

export interface JwtAlgorithm {
  readonly name: string;
  readonly hash: 'sha256' | 'sha384' | 'sha512';
  /** Of the key, as node:crypto names it. */
  readonly keyType: 'rsa' | 'ec';
  /** Only for ECDSA: the one curve that belongs to the algorithm (RFC 7518 §3.4). */
  readonly curve?: string;
  /** Only for ECDSA: bytes of r and s together. */
  readonly signatureBytes?: number;
  /** Only for RSA. */
  readonly padding?: number;
}

const rsa = (name: string, hash: JwtAlgorithm['hash'], padding: number): JwtAlgorithm => ({
  name,
  hash,
  keyType: 'rsa',
  padding,
});
const ecdsa = (name: string, hash: JwtAlgorithm['hash'], curve: string, signatureBytes: number): JwtAlgorithm => ({
  name,
  hash,
  keyType: 'ec',
  curve,
  signatureBytes,
});

const ALGORITHMS: ReadonlyMap<string, JwtAlgorithm> = new Map(
  [
    rsa('RS256', 'sha256', constants.RSA_PKCS1_PADDING),
    rsa('RS384', 'sha384', constants.RSA_PKCS1_PADDING),
    rsa('RS512', 'sha512', constants.RSA_PKCS1_PADDING),
    rsa('PS256', 'sha256', constants.RSA_PKCS1_PSS_PADDING),
    rsa('PS384', 'sha384', constants.RSA_PKCS1_PSS_PADDING),
    rsa('PS512', 'sha512', constants.RSA_PKCS1_PSS_PADDING),
    ecdsa('ES256', 'sha256', 'prime256v1', 64),
    ecdsa('ES384', 'sha384', 'secp384r1', 96),
    ecdsa('ES512', 'sha512', 'secp521r1', 132),
  ].map((algorithm) => [algorithm.name, algorithm]),
);

/** RFC 7518 §3.3, §3.5: a smaller RSA key must not be used. */
const FEWEST_RSA_BITS = 2048;
/** A limit of ours: verifying takes time in the square of the size. */
const MOST_RSA_BITS = 8192;

/** @returns undefined for every name that is not on the list, compared letter by letter */
export function jwtAlgorithm(name: unknown): JwtAlgorithm | undefined {
  return typeof name === 'string' ? ALGORITHMS.get(name) : undefined;
}

/** Kind, curve and size: a key must be made for the algorithm that the token claims. */
export function keyFits(algorithm: JwtAlgorithm, key: KeyObject): boolean {
  if (key.type !== 'public' || key.asymmetricKeyType !== algorithm.keyType) return false;
  const { namedCurve, modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (algorithm.keyType === 'ec') return namedCurve === algorithm.curve;
  return modulusLength >= FEWEST_RSA_BITS && modulusLength <= MOST_RSA_BITS && isExponent(publicExponent);
}

/** RFC 8017 §3.1: odd and at least 3. Under 1 a message is its own signature; a long one makes verifying dear. */
function isExponent(exponent: bigint): boolean {
  return exponent >= 3n && exponent < 1n << 32n && (exponent & 1n) === 1n;
}
