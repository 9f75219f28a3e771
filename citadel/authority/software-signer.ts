/**
 * Signs with a private key in this process. Accepts the kinds of key that every verifier in reach understands;
 * the digest follows the strength of the key. It never exports the key.
 */
import { createPublicKey, type KeyObject, sign } from 'node:crypto';
import { Refusal } from '../../shared/errors/refusal.ts';
import { nil, oid, seq } from '../../shared/x509/der-writer.ts';
import { type KeyKind, keyKindOf } from '../../shared/x509/key-kind.ts';
import { OID } from '../../shared/x509/oids.ts';
import type { Signer } from './signer.ts';

interface Scheme {
  readonly digest: string;
  readonly algorithm: Buffer;
}

// RFC 5758 §3.2: no parameters for ECDSA. RFC 4055 §5: NULL for RSA with PKCS#1 v1.5.
const ECDSA_SHA256: Scheme = { digest: 'sha256', algorithm: seq(oid(OID.ecdsaWithSha256)) };
const ECDSA_SHA384: Scheme = { digest: 'sha384', algorithm: seq(oid(OID.ecdsaWithSha384)) };
const RSA_SHA256: Scheme = { digest: 'sha256', algorithm: seq(oid(OID.sha256WithRsa), nil()) };

/** @throws {Refusal} authority_key_unsupported */
export function softwareSigner(privateKey: KeyObject): Signer {
  const publicKey = createPublicKey(privateKey);
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const { digest, algorithm } = schemeOf(spki);
  return { publicKey, spki, algorithm, sign: (bytes) => sign(digest, bytes, privateKey) };
}

/** Whether an authority may have this key. @param spki SubjectPublicKeyInfo in DER */
export function isSigningKey(spki: Buffer): boolean {
  return schemeFor(keyKindOf(spki)) !== undefined;
}

/** SubjectPublicKeyInfo in DER of the public key that belongs to a private one. */
export function publicSpki(privateKey: KeyObject): Buffer {
  return createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
}

function schemeOf(spki: Buffer): Scheme {
  const kind = keyKindOf(spki);
  const scheme = schemeFor(kind);
  if (scheme === undefined) throw new Refusal('authority_key_unsupported', `${kind.kind} ${kind.bits}`);
  return scheme;
}

function schemeFor({ kind, bits }: KeyKind): Scheme | undefined {
  if (kind === 'P-256') return ECDSA_SHA256;
  if (kind === 'P-384') return ECDSA_SHA384;
  return kind === 'RSA' && bits >= 2048 && bits <= 8192 ? RSA_SHA256 : undefined;
}
