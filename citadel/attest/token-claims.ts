/**
 * What the claims of a token must be. One rule, one clause, one code; the order is from what explains most.
 * The rules hold for claims whose signature is proven or is about to be: they prove nothing by themselves.
 */
import { Refusal, type RefusalCode } from '../../shared/errors/refusal.ts';
import { readClaims, type TokenClaims } from './read-claims.ts';
import type { JsonObject } from './strict-json.ts';

export interface ClaimPolicy {
  /** None: the API server judges the issuer. */
  readonly issuer?: string;
  readonly audience: string;
  readonly maxLifetimeSeconds: number;
  /** How far the clocks of API server and citadel may differ: seconds. */
  readonly leewaySeconds: number;
}

/** Claims of a projected token of a pod: everything that identity needs is there. */
export type PodTokenClaims = TokenClaims & {
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly namespace: string;
  readonly serviceAccount: NonNullable<TokenClaims['serviceAccount']>;
  readonly pod: NonNullable<TokenClaims['pod']>;
};

interface ClaimRule {
  readonly code: RefusalCode;
  readonly says: string;
  /** @param now seconds since the Unix epoch */
  readonly holds: (claims: TokenClaims, policy: ClaimPolicy, now: number) => boolean;
}

const RULES: readonly ClaimRule[] = [
  // Tokens from Secrets (before Kubernetes 1.24) have another issuer and flat claims, and never expire.
  { code: 'token_legacy', says: 'a token from a Secret', holds: ({ legacy }) => !legacy },
  // RFC 7519 §4.1.1, compared letter by letter (RFC 8725 §3.8).
  {
    code: 'token_issuer_wrong',
    says: 'iss is another',
    holds: ({ issuer }, policy) => policy.issuer === undefined || issuer === policy.issuer,
  },
  // RFC 7519 §4.1.3; exactly one, because each further audience could replay the token here.
  { code: 'token_audience_several', says: 'aud has several values', holds: ({ audiences }) => audiences.length <= 1 },
  {
    code: 'token_audience_wrong',
    says: 'aud is another',
    holds: ({ audiences }, policy) => audiences[0] === policy.audience,
  },
  {
    code: 'token_claims_invalid',
    says: 'exp or iat is missing',
    holds: ({ expiresAt, issuedAt }) => expiresAt !== undefined && issuedAt !== undefined,
  },
  // RFC 7519 §4.1.4
  {
    code: 'token_expired',
    says: 'exp has passed',
    holds: ({ expiresAt }, { leewaySeconds }, now) => now < expiresAt! + leewaySeconds,
  },
  // RFC 7519 §4.1.5, §4.1.6
  {
    code: 'token_not_yet_valid',
    says: 'nbf or iat is in the future',
    holds: ({ notBefore, issuedAt }, { leewaySeconds }, now) =>
      Math.max(notBefore ?? 0, issuedAt!) <= now + leewaySeconds,
  },
  {
    code: 'token_claims_invalid',
    says: 'exp is not after iat',
    holds: ({ expiresAt, issuedAt }) => expiresAt! > issuedAt!,
  },
  {
    code: 'token_lifetime_too_long',
    says: 'exp is too far from iat',
    holds: ({ expiresAt, issuedAt, notBefore = issuedAt! }, policy) =>
      expiresAt! - Math.min(issuedAt!, notBefore) <= policy.maxLifetimeSeconds,
  },
  {
    code: 'token_claims_invalid',
    says: 'kubernetes.io namespace or serviceaccount is missing',
    holds: ({ namespace, serviceAccount }) => namespace !== undefined && serviceAccount !== undefined,
  },
  // The API server writes both from the same object; a difference means that someone else wrote them.
  {
    code: 'token_claims_invalid',
    says: 'sub is not the service account of kubernetes.io',
    holds: ({ subject, namespace, serviceAccount }) =>
      subject === `system:serviceaccount:${namespace}:${serviceAccount!.name}`,
  },
  { code: 'token_without_pod', says: 'kubernetes.io has no pod', holds: ({ pod }) => pod !== undefined },
];

/**
 * @param now milliseconds since the Unix epoch
 * @throws {Refusal} with the code of the first rule that does not hold
 */
export function checkClaims(claims: JsonObject, policy: ClaimPolicy, now: number): PodTokenClaims {
  const read = readClaims(claims);
  const broken = RULES.find((rule) => !rule.holds(read, policy, now / 1000));
  if (broken) throw new Refusal(broken.code, broken.says);
  return read as PodTokenClaims;
}
