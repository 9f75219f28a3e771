/**
 * What an issuer publishes, read strictly: its discovery document (OpenID Connect Discovery §3) and its key set
 * (RFC 7517 §5). Keys that cannot verify a token are left out; a set that is ambiguous is refused whole.
 * It fetches nothing.
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { UNSAFE_DEV_ISSUER_MARK } from '../../shared/api/dev-issuer-mark.ts';
import { type JsonObject, parseStrictJson } from './strict-json.ts';
import type { VerificationKey } from './verify-jwt.ts';

/** A document that is not what it should be. The message names the rule, never the content. */
export class IssuerDocumentError extends Error {}

export interface KeySet {
  /** Published by a development issuer: anybody may have its tokens. */
  readonly unsafe: boolean;
  readonly keys: ReadonlyMap<string, VerificationKey>;
}

const MOST_KEYS = 64;

/** @throws {IssuerDocumentError} */
export function readKeySet(bytes: Uint8Array): KeySet {
  const document = readObject(bytes);
  const listed = document['keys'];
  if (!Array.isArray(listed)) throw new IssuerDocumentError('the key set has no list of keys');
  if (listed.length > MOST_KEYS) throw new IssuerDocumentError(`the key set has more than ${MOST_KEYS} keys`);
  const keys = new Map<string, VerificationKey>();
  for (const jwk of listed) {
    const key = readKey(jwk);
    if (!key) continue;
    if (keys.has(key.keyId)) throw new IssuerDocumentError('two keys of the key set have the same kid');
    keys.set(key.keyId, key);
  }
  if (keys.size === 0) throw new IssuerDocumentError('the key set has no key that can verify a token');
  return { unsafe: document[UNSAFE_DEV_ISSUER_MARK] === true, keys };
}

/**
 * @param issuer as configured; OpenID Connect Discovery §4.3: the document must name exactly this one
 * @returns where the key set is
 * @throws {IssuerDocumentError}
 */
export function readDiscovery(bytes: Uint8Array, issuer: string): string {
  const { issuer: named, jwks_uri: jwksUrl } = readObject(bytes);
  if (named !== issuer) throw new IssuerDocumentError('the discovery document belongs to another issuer');
  if (typeof jwksUrl !== 'string' || !URL.canParse(jwksUrl))
    throw new IssuerDocumentError('the discovery document has no jwks_uri');
  return jwksUrl;
}

function readObject(bytes: Uint8Array): JsonObject {
  try {
    return parseStrictJson(bytes);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new IssuerDocumentError('the document is not a JSON object with unique names');
  }
}

/** RFC 7517 §5: keys of an unknown kind or for another use are passed over. */
function readKey(jwk: unknown): VerificationKey | undefined {
  if (typeof jwk !== 'object' || jwk === null) return undefined;
  const { kid, use, key_ops: operations, alg } = jwk as Record<string, unknown>;
  if (typeof kid !== 'string' || kid === '' || kid.length > 256) return undefined;
  if (use !== undefined && use !== 'sig') return undefined;
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) return undefined;
  if (alg !== undefined && typeof alg !== 'string') return undefined;
  const key = publicKeyOf(jwk as Record<string, unknown>);
  return key && { keyId: kid, key, ...(alg === undefined ? {} : { algorithm: alg }) };
}

/** Only the public members are taken over: a key set that leaks a private key must not get it into our memory. */
function publicKeyOf({ kty, n, e, crv, x, y }: Record<string, unknown>): KeyObject | undefined {
  const members = kty === 'RSA' ? { kty, n, e } : kty === 'EC' ? { kty, crv, x, y } : undefined;
  if (!members || !Object.values(members).every((member) => typeof member === 'string')) return undefined;
  try {
    return createPublicKey({ key: members as Record<string, string>, format: 'jwk' });
  } catch {
    // A point off its curve or a curve nobody has: a key like any other that cannot be used.
    return undefined;
  }
}
