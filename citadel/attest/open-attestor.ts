/**
 * The attestor that the configuration asks for, made of its parts. Its check tells the operator at start what
 * would refuse every workload later. It decides nothing about tokens itself.
 */
import type { Clock, Randomness } from '../../shared/clock/clock.ts';
import type { Log } from '../../shared/log/log.ts';
import { apiServerAddress, type ConfiguredAddress } from '../kubernetes/api-server-address.ts';
import { createKubernetesClient } from '../kubernetes/client.ts';
import { CREATE_TOKEN_REVIEWS, permissionProblem } from '../kubernetes/self-check.ts';
import type { Attestor } from './attestor.ts';
import { createBothAttestor } from './both.ts';
import { createKeyFetcher, type IssuerAddress } from './fetch-keys.ts';
import { JwksSource } from './jwks-source.ts';
import { createOidcAttestor } from './oidc-jwks.ts';
import type { ReviewObserver } from './review-calls.ts';
import { createTokenReviewAttestor } from './token-review.ts';

/** `attestation` in the configuration of citadel, as far as attestors need it. */
export interface AttestationSettings {
  readonly mode: 'token-review' | 'oidc' | 'both';
  readonly audience: string;
  readonly maxTokenLifetimeSeconds: number;
  readonly leewaySeconds: number;
  readonly oidc: IssuerAddress;
  readonly tokenReview: ConfiguredAddress & {
    readonly timeoutSeconds: number;
    readonly concurrency: number;
    readonly cacheSeconds: number;
  };
}

export interface AttestorTools {
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly log: Log;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly observer?: ReviewObserver;
  /** Called after each fetch of the issuer's keys, for metrics. */
  readonly onKeyFetch?: (outcome: 'fetched' | 'failed') => void;
}

export interface OpenAttestor {
  readonly attestor: Attestor;
  /** Asks what the attestor depends on. @returns one sentence per problem; none when tokens can be judged */
  check(signal?: AbortSignal): Promise<readonly string[]>;
}

/** An attestor and the question whether it can work. */
interface Part {
  readonly attestor: Attestor;
  readonly problem: (signal?: AbortSignal) => Promise<string | undefined>;
}

/** @throws {Refusal} config_invalid when an address is missing or may not be used */
export function openAttestor(settings: AttestationSettings, tools: AttestorTools): OpenAttestor {
  if (settings.mode === 'both') {
    const parts = [openOidc(settings, tools), openReview(settings, tools)] as const;
    return opened(createBothAttestor(parts[0].attestor, parts[1].attestor), parts);
  }
  const part = settings.mode === 'oidc' ? openOidc(settings, tools) : openReview(settings, tools);
  return opened(part.attestor, [part]);
}

function opened(attestor: Attestor, parts: readonly Part[]): OpenAttestor {
  return {
    attestor,
    async check(signal) {
      const problems = await Promise.all(parts.map((part) => part.problem(signal)));
      return problems.filter((problem) => problem !== undefined);
    },
  };
}

function openReview({ audience, tokenReview, ...policy }: AttestationSettings, tools: AttestorTools): Part {
  const { clock, randomness, environment, observer } = tools;
  const timeoutMs = tokenReview.timeoutSeconds * 1000;
  const api = createKubernetesClient({
    ...apiServerAddress(tokenReview, environment),
    clock,
    timeoutMs,
    connections: tokenReview.concurrency,
  });
  const attestor = createTokenReviewAttestor({
    clock,
    randomness,
    api,
    policy: { audience, maxLifetimeSeconds: policy.maxTokenLifetimeSeconds, leewaySeconds: policy.leewaySeconds },
    timeoutMs,
    concurrency: tokenReview.concurrency,
    cacheMs: tokenReview.cacheSeconds * 1000,
    ...(observer === undefined ? {} : { observer }),
  });
  return { attestor, problem: (signal) => permissionProblem(api, CREATE_TOKEN_REVIEWS, signal) };
}

function openOidc({ audience, oidc, ...policy }: AttestationSettings, tools: AttestorTools): Part {
  const { clock, randomness, log, onKeyFetch } = tools;
  const fetcher = createKeyFetcher(oidc, clock);
  const keys = new JwksSource({
    clock,
    randomness,
    log,
    fetchKeys: fetcher.fetchKeys,
    ...(onKeyFetch === undefined ? {} : { onFetch: onKeyFetch }),
  });
  const attestor = createOidcAttestor({
    clock,
    keys,
    policy: {
      issuer: fetcher.issuer,
      audience,
      maxLifetimeSeconds: policy.maxTokenLifetimeSeconds,
      leewaySeconds: policy.leewaySeconds,
    },
  });
  const close = async (): Promise<void> => {
    await attestor.close();
    await fetcher.close();
  };
  return {
    attestor: { attest: attestor.attest, close },
    async problem() {
      await keys.refresh();
      return keys.failures === 0 ? undefined : `the keys of ${fetcher.issuer} cannot be used: ${keys.lastProblem}`;
    },
  };
}
