/**
 * Builds a certificate signing request for a key, asking at most for one URI name. The subject is empty:
 * an SVID is named by its URI alone. The private key is used to sign and never leaves its key object.
 */
import { type KeyObject, sign } from 'node:crypto';
import { bits, context, contextPrimitive, extension, integer, nil, oid, seq, set } from './der-writer.ts';
import { OID } from './oids.ts';

/** @throws {TypeError} when the key is not P-256, P-384, Ed25519 or RSA: a mistake of the caller */
export function buildCsr(keys: { publicKey: KeyObject; privateKey: KeyObject }, uri?: string): Buffer {
  const spki = keys.publicKey.export({ format: 'der', type: 'spki' });
  // RFC 2986 §4.1: the attributes are there even when there are none.
  const attributes = uri === undefined ? context(0) : context(0, extensionRequest(uri));
  const info = seq(integer(0), seq(), spki, attributes);
  const { algorithm, hash } = algorithmFor(keys.privateKey);
  return seq(info, algorithm, bits(sign(hash, info, keys.privateKey)));
}

/** RFC 2985 §5.4.2. The name is critical because the subject is empty (RFC 5280 §4.1.2.6). */
function extensionRequest(uri: string): Buffer {
  const name = seq(contextPrimitive(6, Buffer.from(uri, 'ascii')));
  return seq(oid(OID.extensionRequest), set(seq(extension(OID.subjectAltName, true, name))));
}

function algorithmFor(key: KeyObject): { algorithm: Buffer; hash: string | null } {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === 'ed25519') return { algorithm: seq(oid(OID.ed25519)), hash: null };
  if (type === 'rsa') return { algorithm: seq(oid(OID.sha256WithRsa), nil()), hash: 'sha256' };
  if (type === 'ec' && details?.namedCurve === 'prime256v1') {
    return { algorithm: seq(oid(OID.ecdsaWithSha256)), hash: 'sha256' };
  }
  if (type === 'ec' && details?.namedCurve === 'secp384r1') {
    return { algorithm: seq(oid(OID.ecdsaWithSha384)), hash: 'sha384' };
  }
  throw new TypeError(`no CSR is built for a key of type ${type}`);
}
