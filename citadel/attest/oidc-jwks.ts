/**
 * Attestation without asking the API server: the token's signature is checked with the keys its issuer publishes.
 * It cannot see that a pod is gone before the token expires; where that matters, use TokenReview or both.
 */
import type { Clock } from '../../shared/clock/clock.ts';
import { Refusal } from '../../shared/errors/refusal.ts';
import type { Attested, Attestor } from './attestor.ts';
import { ExpiringCache } from './expiring-cache.ts';
import type { KeySource } from './jwks-source.ts';
import { checkTokenSize, parseJwt } from './parse-jwt.ts';
import { type ClaimPolicy, checkClaims, type PodTokenClaims } from './token-claims.ts';
import { tokenHash, tokenIdOf } from './token-hash.ts';
import { verifyJwt } from './verify-jwt.ts';

export interface OidcAttestorOptions {
  readonly clock: Clock;
  readonly keys: KeySource;
  /** With its issuer: without one, another cluster's tokens would do. */
  readonly policy: ClaimPolicy & { readonly issuer: string };
  /** Milliseconds that a verified token is remembered by its hash; never beyond its expiry. */
  readonly cacheMs?: number;
  readonly mostCached?: number;
}

export function createOidcAttestor({
  clock,
  keys,
  policy,
  cacheMs = 10_000,
  mostCached = 10_000,
}: OidcAttestorOptions): Attestor {
  const verified = new ExpiringCache<Attested>(clock, mostCached);
  return {
    async attest(token, signal) {
      checkTokenSize(token);
      const hash = tokenHash(token);
      const known = verified.get(hash);
      if (known) return known;
      const jwt = parseJwt(token);
      // Claims before keys: a token that would be refused anyway causes no fetch.
      const claims = checkClaims(jwt.claims, policy, clock.now());
      if (jwt.keyId === undefined) throw new Refusal('token_key_unknown', 'the token names no key');
      verifyJwt(jwt, await keys.find(jwt.keyId, signal));
      const attested = attestedBy(claims, hash);
      verified.put(hash, attested, cacheMs, attested.tokenExpiresAt);
      return attested;
    },
    close: () => keys.close(),
  };
}

function attestedBy(claims: PodTokenClaims, hash: string): Attested {
  return {
    method: 'oidc',
    namespace: claims.namespace,
    serviceAccount: claims.serviceAccount.name,
    serviceAccountUid: claims.serviceAccount.uid,
    podName: claims.pod.name,
    podUid: claims.pod.uid,
    ...(claims.node === undefined ? {} : { nodeName: claims.node.name }),
    tokenId: tokenIdOf(claims.tokenId, hash),
    tokenExpiresAt: claims.expiresAt * 1000,
  };
}
