/**
 * What kind of public key a SubjectPublicKeyInfo holds, told from its bytes alone: no key object is made,
 * so a key that is refused costs next to nothing. Only plain encodings count: named curves, uncompressed points.
 * It does not prove that a point is on its curve; making the key object does.
 */
import { readAlgorithm } from './algorithm-identifier.ts';
import { DerReader, TAG } from './der-reader.ts';
import { readOctetBits, readPositiveInteger } from './der-values.ts';
import { readOid } from './object-identifier.ts';
import { OID } from './oids.ts';

export interface KeyKind {
  readonly kind: 'P-256' | 'P-384' | 'P-521' | 'Ed25519' | 'RSA' | 'unsupported';
  readonly bits: number;
}

const NULL = Buffer.from([TAG.null, 0]);

/** @throws {DerError} when the bytes are no SubjectPublicKeyInfo, or no RSA key where they say so */
export function keyKindOf(spki: Buffer): KeyKind {
  const outer = new DerReader(spki);
  const info = outer.enter(TAG.sequence);
  outer.finish();
  const { oid, parameters } = readAlgorithm(info);
  const key = readOctetBits(info);
  info.finish();
  if (oid === OID.ecPublicKey) return parameters === undefined ? UNSUPPORTED : ellipticKind(parameters, key);
  // RFC 8410 §3: no parameters.
  if (oid === OID.ed25519 && parameters === undefined && key.length === 32) return { kind: 'Ed25519', bits: 256 };
  // RFC 3279 §2.3.1: the parameters are NULL.
  if (oid === OID.rsaEncryption && parameters?.equals(NULL)) return rsaKind(key);
  return UNSUPPORTED;
}

/** Whether a key of this kind may vouch for anything: in a certificate, above one, or in a CSR. */
export function isKeyAccepted({ kind, bits }: KeyKind): boolean {
  if (kind === 'RSA') return bits >= LEAST_RSA_BITS && bits <= MOST_RSA_BITS;
  return kind !== 'unsupported';
}

const UNSUPPORTED: KeyKind = { kind: 'unsupported', bits: 0 };

const CURVES: ReadonlyMap<string, KeyKind> = new Map([
  [OID.p256, { kind: 'P-256', bits: 256 }],
  [OID.p384, { kind: 'P-384', bits: 384 }],
  [OID.p521, { kind: 'P-521', bits: 521 }],
] as const);

/** NIST SP 800-57 part 1 table 2: 112 bits of strength need 2048. Verifying takes time in the square of the most. */
const LEAST_RSA_BITS = 2048;
const MOST_RSA_BITS = 8192;

/** RFC 5480 §2.1.1: a named curve; §2.2: the point, of which only the uncompressed form (04) is taken. */
function ellipticKind(parameters: Buffer, point: Buffer): KeyKind {
  if (parameters[0] !== TAG.oid) return UNSUPPORTED;
  const curve = CURVES.get(readOid(new DerReader(parameters)));
  const plain = curve !== undefined && point[0] === 0x04 && point.length === 1 + 2 * Math.ceil(curve.bits / 8);
  return plain ? curve : UNSUPPORTED;
}

/** RFC 8017 §A.1.1. An exponent of more than 32 bits would make verifying dear; an even one is no exponent. */
function rsaKind(key: Buffer): KeyKind {
  const outer = new DerReader(key);
  const numbers = outer.enter(TAG.sequence);
  outer.finish();
  const modulus = readPositiveInteger(numbers);
  const exponent = readPositiveInteger(numbers);
  numbers.finish();
  const bits = modulus.length * 8 - Math.clz32(modulus[0]!) + 24;
  const odd = (modulus.at(-1)! & exponent.at(-1)! & 1) === 1;
  const usable = exponent.length <= 4 && exponent.readUIntBE(0, exponent.length) >= 3;
  return odd && usable ? { kind: 'RSA', bits } : { kind: 'unsupported', bits };
}
