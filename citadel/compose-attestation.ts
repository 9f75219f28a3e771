/**
 * The attestor that the settings ask for, wired to its files, pools and metrics, with a word on whether it can
 * work yet. The modules that speak to others are loaded here, so that a mode that is not used costs nothing.
 */

import { backoffDelay } from '../shared/backoff/backoff.ts';
import { pause } from '../shared/clock/clock.ts';
import type { Attestor } from './attest/attestor.ts';
import type { ClaimPolicy } from './attest/token-claims.ts';
import type { Surroundings } from './compose.ts';
import type { CitadelSettings } from './config.ts';
import type { CitadelMetrics } from './telemetry/citadel-metrics.ts';

export interface Attestation {
  readonly attestor: Attestor;
  /** @returns why nobody can be attested yet; undefined when all is well */
  problem(): string | undefined;
  /** Begins to fetch keys or to ask for permissions, in the background. */
  start(signal: AbortSignal): void;
}

type Options = Pick<Surroundings, 'clock' | 'randomness' | 'environment' | 'log'> & {
  readonly metrics: CitadelMetrics;
};

const SELF_CHECK_RETRY = { firstMs: 1000, capMs: 30_000 };

/** @throws {Refusal} config_invalid when the addresses cannot be used */
export async function composeAttestation(
  settings: CitadelSettings['attestation'],
  options: Options,
): Promise<Attestation> {
  if (settings.mode === 'oidc') return composeOidc(settings, options);
  if (settings.mode === 'token-review') return composeTokenReview(settings, options);
  const [offline, review, { createBothAttestor }] = await Promise.all([
    composeOidc(settings, options),
    composeTokenReview(settings, options),
    import('./attest/both.ts'),
  ]);
  return {
    attestor: createBothAttestor(offline.attestor, review.attestor),
    problem: () => offline.problem() ?? review.problem(),
    start(signal) {
      offline.start(signal);
      review.start(signal);
    },
  };
}

async function composeOidc(
  settings: CitadelSettings['attestation'],
  { clock, randomness, log, metrics }: Options,
): Promise<Attestation> {
  const [{ createOidcAttestor }, { JwksSource }, { createKeyFetcher }] = await Promise.all([
    import('./attest/oidc-jwks.ts'),
    import('./attest/jwks-source.ts'),
    import('./attest/fetch-keys.ts'),
  ]);
  const { issuer = '', jwksUrl, caFile, tokenFile, unsafeDevIssuer } = settings.oidc;
  const address = {
    issuer,
    ...(jwksUrl && { jwksUrl }),
    ...(caFile && { caFile }),
    ...(tokenFile && { tokenFile }),
    unsafeDevIssuer,
  };
  if (unsafeDevIssuer)
    log.warn('unsafe_dev_issuer', { issuer, meaning: 'anybody may have tokens of this issuer; never in production' });
  const { fetchKeys, close } = createKeyFetcher(address, clock);
  const keys = new JwksSource({
    clock,
    randomness,
    log,
    fetchKeys,
    onFetch: (outcome) => metrics.jwksFetches.inc([outcome]),
  });
  const attestor = createOidcAttestor({ clock, keys, policy: { ...policyOf(settings), issuer } });
  return {
    attestor: {
      attest: (token, signal) => attestor.attest(token, signal),
      async close() {
        await attestor.close();
        await close();
      },
    },
    problem: () => (keys.keyCount > 0 ? undefined : 'the keys of the token issuer have not been fetched yet'),
    start: () => void keys.refresh(),
  };
}

async function composeTokenReview(settings: CitadelSettings['attestation'], options: Options): Promise<Attestation> {
  const { clock, randomness, environment, metrics } = options;
  const [{ createTokenReviewAttestor }, { createKubernetesClient }, { apiServerAddress }] = await Promise.all([
    import('./attest/token-review.ts'),
    import('./kubernetes/client.ts'),
    import('./kubernetes/api-server-address.ts'),
  ]);
  const { timeoutSeconds, concurrency, cacheSeconds, ...configured } = settings.tokenReview;
  const timeoutMs = timeoutSeconds * 1000;
  const api = createKubernetesClient({
    ...apiServerAddress(configured, environment),
    clock,
    timeoutMs,
    connections: concurrency,
  });
  const observer = {
    reviewed(outcome: string, seconds: number): void {
      metrics.tokenReviews.inc([outcome]);
      metrics.tokenReviewSeconds.observe(seconds);
    },
    queue(active: number, waiting: number): void {
      metrics.tokenReviewsActive.set([], active);
      metrics.tokenReviewsWaiting.set([], waiting);
    },
  };
  const attestor = createTokenReviewAttestor({
    ...{ clock, randomness, api, timeoutMs, concurrency, observer },
    policy: policyOf(settings),
    cacheMs: cacheSeconds * 1000,
  });
  let problem: string | undefined = 'the API server has not been asked yet';
  return {
    attestor,
    problem: () => problem,
    start: (signal) => void checkPermission(api, options, signal, (found) => (problem = found)),
  };
}

/** Asks until the answer is yes: a missing RBAC rule shows in readiness, not as refused workloads. */
async function checkPermission(
  api: Parameters<typeof import('./kubernetes/self-check.ts').permissionProblem>[0],
  { clock, randomness, log }: Options,
  signal: AbortSignal,
  tell: (problem: string | undefined) => void,
): Promise<void> {
  const { permissionProblem, CREATE_TOKEN_REVIEWS } = await import('./kubernetes/self-check.ts');
  try {
    for (let failures = 1; ; failures++) {
      const problem = await permissionProblem(api, CREATE_TOKEN_REVIEWS, signal);
      tell(problem);
      if (problem === undefined) return;
      log.warn('attestation_not_ready', { problem });
      await pause(clock, backoffDelay(failures, randomness.draw(), SELF_CHECK_RETRY), signal);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

function policyOf({ audience, maxTokenLifetimeSeconds, leewaySeconds }: CitadelSettings['attestation']): ClaimPolicy {
  return { audience, maxLifetimeSeconds: maxTokenLifetimeSeconds, leewaySeconds };
}
