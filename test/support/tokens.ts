/**
 * Service account tokens for tests: good ones as Kubernetes writes them, and any other that a test spells out.
 * It signs whatever it is told to and checks nothing.
 */
import { generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';

export type TokenAlgorithm = 'RS256' | 'RS384' | 'RS512' | 'PS256' | 'PS384' | 'PS512' | 'ES256' | 'ES384' | 'ES512';

export interface SigningKey {
  readonly keyId: string;
  readonly algorithm: TokenAlgorithm;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
  /** As published in a key set. */
  readonly jwk: Record<string, unknown>;
}

export interface PodFacts {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly serviceAccountUid: string;
  readonly podName: string;
  readonly podUid: string;
  readonly nodeName: string;
  readonly nodeUid: string;
}

export type Claims = Record<string, unknown>;

const CURVES: Readonly<Record<string, string>> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' };
const RSA_PSS_PADDING = 6;

export function makeSigningKey(algorithm: TokenAlgorithm = 'ES256', keyId: string = randomUUID()): SigningKey {
  const namedCurve = CURVES[algorithm];
  const { publicKey, privateKey } = namedCurve
    ? generateKeyPairSync('ec', { namedCurve })
    : generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: keyId, use: 'sig', alg: algorithm };
  return { keyId, algorithm, publicKey, privateKey, jwk };
}

/** @param header merged over the right one: a member set to undefined is left out */
export function signToken(claims: Claims, key: SigningKey, header: Record<string, unknown> = {}): string {
  const signed = `${jsonPart({ alg: key.algorithm, kid: key.keyId, ...header })}.${jsonPart(claims)}`;
  return `${signed}.${signatureOver(signed, key).toString('base64url')}`;
}

export function signatureOver(signed: string, { algorithm, privateKey }: SigningKey): Buffer {
  const padding = algorithm.startsWith('PS') ? { padding: RSA_PSS_PADDING, saltLength: -1 } : {};
  return sign(`sha${algorithm.slice(2)}`, Buffer.from(signed), {
    key: privateKey,
    dsaEncoding: 'ieee-p1363',
    ...padding,
  });
}

export function jsonPart(value: unknown): string {
  return textPart(JSON.stringify(value));
}

/** For JSON that no serializer would write. */
export function textPart(json: string): string {
  return Buffer.from(json).toString('base64url');
}

export function podFacts(facts: Partial<PodFacts> = {}): PodFacts {
  const { namespace = 'shop', serviceAccount = 'web' } = facts;
  return {
    namespace,
    serviceAccount,
    serviceAccountUid: randomUUID(),
    podName: `${serviceAccount}-7d4b9`,
    podUid: randomUUID(),
    nodeName: 'node-1',
    nodeUid: randomUUID(),
    ...facts,
  };
}

export interface ClaimOptions {
  readonly issuer: string;
  readonly audience?: string | readonly string[];
  /** Milliseconds since the Unix epoch. */
  readonly issuedAt: number;
  readonly seconds?: number;
}

/** The claims of a projected token (Kubernetes 1.30 and later). */
export function podClaims(
  facts: PodFacts,
  { issuer, audience = ['citadel'], issuedAt, seconds = 3600 }: ClaimOptions,
): Claims {
  const iat = Math.floor(issuedAt / 1000);
  return {
    aud: audience,
    exp: iat + seconds,
    iat,
    iss: issuer,
    jti: randomUUID(),
    'kubernetes.io': {
      namespace: facts.namespace,
      node: { name: facts.nodeName, uid: facts.nodeUid },
      pod: { name: facts.podName, uid: facts.podUid },
      serviceaccount: { name: facts.serviceAccount, uid: facts.serviceAccountUid },
    },
    nbf: iat,
    sub: `system:serviceaccount:${facts.namespace}:${facts.serviceAccount}`,
  };
}

/** Claims with the `kubernetes.io` part changed; a member set to undefined is left out. */
export function withKubernetes(claims: Claims, change: Record<string, unknown>): Claims {
  return { ...claims, 'kubernetes.io': { ...(claims['kubernetes.io'] as object), ...change } };
}
