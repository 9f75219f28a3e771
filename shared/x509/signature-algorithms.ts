/**
 * The signatures that are accepted, and how to check one: ECDSA and RSA with SHA-2, RSA-PSS with SHA-2,
 * Ed25519. SHA-1, MD5 and DSA do not exist here. Which keys are accepted is told by key-kind. Certificates and CSRs are checked by the same list.
 */
import { constants, type KeyObject, type VerifyKeyObjectInput, verify } from 'node:crypto';
import { type AlgorithmIdentifier, readAlgorithm } from './algorithm-identifier.ts';
import { constructedTag, DerError, DerReader, TAG } from './der-reader.ts';
import { readSmallInteger } from './der-values.ts';
import { OID } from './oids.ts';

/** How to check one signature: the hash (none for Ed25519) and, for PSS, the length of the salt. */
export type SignatureScheme =
  | { readonly family: 'ecdsa' | 'rsa'; readonly hash: string }
  | { readonly family: 'rsa-pss'; readonly hash: string; readonly saltLength: number }
  | { readonly family: 'ed25519' };

const ECDSA: ReadonlyMap<string, SignatureScheme> = new Map([
  [OID.ecdsaWithSha256, { family: 'ecdsa', hash: 'sha256' }],
  [OID.ecdsaWithSha384, { family: 'ecdsa', hash: 'sha384' }],
  [OID.ecdsaWithSha512, { family: 'ecdsa', hash: 'sha512' }],
  [OID.ed25519, { family: 'ed25519' }],
] as const);

const RSA: ReadonlyMap<string, SignatureScheme> = new Map([
  [OID.sha256WithRsa, { family: 'rsa', hash: 'sha256' }],
  [OID.sha384WithRsa, { family: 'rsa', hash: 'sha384' }],
  [OID.sha512WithRsa, { family: 'rsa', hash: 'sha512' }],
] as const);

const HASHES: ReadonlyMap<string, { readonly name: string; readonly octets: number }> = new Map([
  [OID.sha256, { name: 'sha256', octets: 32 }],
  [OID.sha384, { name: 'sha384', octets: 48 }],
  [OID.sha512, { name: 'sha512', octets: 64 }],
] as const);

const NULL = Buffer.from([TAG.null, 0]);

/** The scheme of an AlgorithmIdentifier, or undefined when it is not accepted. */
export function schemeOf({ oid, parameters }: AlgorithmIdentifier): SignatureScheme | undefined {
  // RFC 5758 §3.2, RFC 8410 §3: no parameters.
  const plain = ECDSA.get(oid);
  if (plain) return parameters === undefined ? plain : undefined;
  // RFC 4055 §5: NULL, and absent must be accepted too.
  const rsa = RSA.get(oid);
  if (rsa) return parameters === undefined || parameters.equals(NULL) ? rsa : undefined;
  return oid === OID.rsaPss && parameters !== undefined ? pssScheme(parameters) : undefined;
}

/** Whether `signature` over `signed` is by this accepted key. Never throws for what a signer controls. */
export function isSignedBy(key: KeyObject, scheme: SignatureScheme, signed: Buffer, signature: Buffer): boolean {
  const type = key.asymmetricKeyType;
  switch (scheme.family) {
    case 'ed25519':
      return type === 'ed25519' && verify(null, signed, key, signature);
    case 'ecdsa':
      return type === 'ec' && verify(scheme.hash, signed, key, signature);
    case 'rsa':
      return type === 'rsa' && verify(scheme.hash, signed, key, signature);
    case 'rsa-pss':
      return type === 'rsa' && verify(scheme.hash, signed, pssKey(key, scheme.saltLength), signature);
  }
}

function pssKey(key: KeyObject, saltLength: number): VerifyKeyObjectInput {
  return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength };
}

/**
 * RFC 4055 §3.1. All fields are explicit tags; the defaults are SHA-1, so hash and mask must be there.
 * Only one hash for both is taken, and a salt as long as the hash (the one in use everywhere).
 */
function pssScheme(parameters: Buffer): SignatureScheme | undefined {
  try {
    const fields = new DerReader(parameters).enter(TAG.sequence);
    const hash = HASHES.get(readHash(fields.enter(constructedTag(0))));
    const mask = readAlgorithm(fields.enter(constructedTag(1)));
    if (hash === undefined || mask.oid !== OID.mgf1 || mask.parameters === undefined) return undefined;
    if (HASHES.get(readHash(new DerReader(mask.parameters))) !== hash) return undefined;
    const saltLength = readSmallInteger(fields.enter(constructedTag(2)));
    fields.finish();
    return saltLength === hash.octets ? { family: 'rsa-pss', hash: hash.name, saltLength } : undefined;
  } catch (error) {
    if (error instanceof DerError) return undefined;
    throw error;
  }
}

function readHash(reader: DerReader): string {
  const { oid, parameters } = readAlgorithm(reader);
  // RFC 4055 §2.1: NULL, and absent must be accepted too.
  return parameters === undefined || parameters.equals(NULL) ? oid : '';
}
