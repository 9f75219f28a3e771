/**
 * Attestation by asking the Kubernetes API server about each token (TokenReview). What can be refused without
 * asking is refused first; equal questions share one call and, for seconds, one answer; a server that struggles
 * is left alone. Whenever it cannot be asked, the answer is no (token_review_unavailable), never a guess.
 */
import type { Clock, Randomness } from '../../shared/clock/clock.ts';
import { Refusal } from '../../shared/errors/refusal.ts';
import type { KubernetesApi } from '../kubernetes/client.ts';
import type { Attested, Attestor } from './attestor.ts';
import { ExpiringCache } from './expiring-cache.ts';
import { checkTokenSize, parseJwt } from './parse-jwt.ts';
import type { ReviewedPod } from './review-answer.ts';
import { ReviewCalls, type ReviewObserver } from './review-calls.ts';
import { SingleFlight } from './single-flight.ts';
import { type ClaimPolicy, checkClaims, type PodTokenClaims } from './token-claims.ts';
import { tokenHash, tokenIdOf } from './token-hash.ts';

export interface TokenReviewAttestorOptions {
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly api: KubernetesApi;
  /** Without an issuer: the API server judges that. */
  readonly policy: ClaimPolicy;
  /** Milliseconds for one answer, waiting in the queue included. */
  readonly timeoutMs?: number;
  /** The most calls at once, and the most that wait. */
  readonly concurrency?: number;
  readonly mostWaiting?: number;
  /** Milliseconds that a yes is remembered, at most 10 s: so long a deleted pod could still be believed. */
  readonly cacheMs?: number;
  /** Milliseconds that a no is remembered. */
  readonly refusalCacheMs?: number;
  readonly observer?: ReviewObserver;
}

type Answer = { readonly attested: Attested } | { readonly refusal: Refusal };

const LONGEST_CACHE_MS = 10_000;
const MOST_CACHED = 10_000;

export function createTokenReviewAttestor(options: TokenReviewAttestorOptions): Attestor {
  const { clock, policy, api, cacheMs = LONGEST_CACHE_MS, refusalCacheMs = 2000 } = options;
  const calls = new ReviewCalls(options, policy.audience);
  const answers = new ExpiringCache<Answer>(clock, MOST_CACHED);
  const flights = new SingleFlight<Answer>();

  const ask = async (token: string, hash: string, claims: PodTokenClaims): Promise<Answer> => {
    const answer = await answerOf(calls, token, hash, claims);
    const freshMs = 'attested' in answer ? Math.min(cacheMs, LONGEST_CACHE_MS) : refusalCacheMs;
    answers.put(hash, answer, freshMs, claims.expiresAt * 1000);
    return answer;
  };

  return {
    async attest(token, signal) {
      checkTokenSize(token);
      const hash = tokenHash(token);
      let answer = answers.get(hash);
      if (!answer) {
        // Not verified here, only looked at: garbage never costs the API server a call.
        const claims = checkClaims(parseJwt(token).claims, policy, clock.now());
        answer = await flights.run(hash, signal, () => ask(token, hash, claims));
      }
      if ('refusal' in answer) throw answer.refusal;
      return answer.attested;
    },
    close: () => api.close(),
  };
}

/**
 * @returns a definite yes or no, fit to be remembered
 * @throws {Refusal} token_review_unavailable
 */
async function answerOf(calls: ReviewCalls, token: string, hash: string, claims: PodTokenClaims): Promise<Answer> {
  try {
    const reviewed = await calls.review(token);
    refuseDifferences(claims, reviewed);
    return { attested: attestedBy(claims, reviewed, hash) };
  } catch (error) {
    if (error instanceof Refusal && error.code !== 'token_review_unavailable') return { refusal: error };
    throw error;
  }
}

/** The API server verified this very token, so its claims are true; an answer that tells otherwise is not for it. */
function refuseDifferences(claims: PodTokenClaims, reviewed: ReviewedPod): void {
  const pairs: readonly (readonly [string, string | undefined, string | undefined])[] = [
    ['namespace', claims.namespace, reviewed.namespace],
    ['service account', claims.serviceAccount.name, reviewed.serviceAccount],
    ['service account UID', claims.serviceAccount.uid, reviewed.serviceAccountUid],
    ['pod name', claims.pod.name, reviewed.podName],
    ['pod UID', claims.pod.uid, reviewed.podUid],
    ['node', claims.node?.name ?? reviewed.nodeName, reviewed.nodeName ?? claims.node?.name],
    ['token id', claims.tokenId ?? reviewed.tokenId, reviewed.tokenId ?? claims.tokenId],
  ];
  const different = pairs.filter(([, claimed, told]) => claimed !== told).map(([name]) => name);
  if (different.length > 0) throw new Refusal('token_pod_mismatch', `${different.join(', ')} differ`);
}

function attestedBy(claims: PodTokenClaims, reviewed: ReviewedPod, hash: string): Attested {
  const nodeName = reviewed.nodeName ?? claims.node?.name;
  return {
    method: 'token-review',
    namespace: reviewed.namespace,
    serviceAccount: reviewed.serviceAccount,
    serviceAccountUid: reviewed.serviceAccountUid,
    podName: reviewed.podName,
    podUid: reviewed.podUid,
    ...(nodeName === undefined ? {} : { nodeName }),
    tokenId: tokenIdOf(claims.tokenId, hash),
    tokenExpiresAt: claims.expiresAt * 1000,
  };
}
