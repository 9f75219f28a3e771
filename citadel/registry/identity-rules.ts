/**
 * From attested facts to a grant: the SPIFFE ID and the validity of a certificate. Pure; it sees neither the CSR nor
 * anything else that the caller chose, except the lifetime that was asked for, which must lie within policy.
 */
import { Refusal } from '../../shared/errors/refusal.ts';
import { type SpiffeId, SpiffeIdError, workloadId } from '../../shared/spiffe/spiffe-id.ts';

export interface IdentityPolicy {
  readonly trustDomain: string;
  /** Seconds of life when the caller asks for none. */
  readonly defaultSeconds: number;
  readonly minSeconds: number;
  readonly maxSeconds: number;
  /** Seconds that notBefore lies in the past, for peers whose clocks are behind. */
  readonly backdateSeconds: number;
}

/** Milliseconds since the Unix epoch, on whole seconds as X.509 has them. */
export interface Grant {
  readonly spiffeId: SpiffeId;
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface ServiceAccount {
  readonly namespace: string;
  readonly serviceAccount: string;
}

/**
 * @param ttlSeconds what the caller asked for, if anything
 * @param now milliseconds since the Unix epoch
 * @param issuerNotAfter end of the signing certificate: no leaf outlives its issuer (RFC 5280 §6.1.3 checks both)
 * @throws {Refusal} identity_not_derivable, lifetime_out_of_policy, authority_expired
 */
export function grantIdentity(
  policy: IdentityPolicy,
  attested: ServiceAccount,
  ttlSeconds: number | undefined,
  now: number,
  issuerNotAfter: number,
): Grant {
  const spiffeId = identityOf(policy.trustDomain, attested);
  const seconds = ttlSeconds ?? policy.defaultSeconds;
  if (!Number.isSafeInteger(seconds) || seconds < policy.minSeconds || seconds > policy.maxSeconds) {
    throw new Refusal(
      'lifetime_out_of_policy',
      `asked for ${seconds} s, allowed ${policy.minSeconds} to ${policy.maxSeconds} s`,
    );
  }
  const start = wholeSecond(now);
  const notAfter = Math.min(start + seconds * 1000, wholeSecond(issuerNotAfter));
  if (notAfter - start < policy.minSeconds * 1000) {
    throw new Refusal('authority_expired', {
      detail: `the issuer ends ${new Date(issuerNotAfter).toISOString()}`,
      retryAfterSeconds: 60,
    });
  }
  return { spiffeId, notBefore: start - policy.backdateSeconds * 1000, notAfter };
}

function identityOf(trustDomain: string, { namespace, serviceAccount }: ServiceAccount): SpiffeId {
  try {
    return workloadId(trustDomain, namespace, serviceAccount);
  } catch (error) {
    if (error instanceof SpiffeIdError)
      throw new Refusal('identity_not_derivable', { detail: error.message, cause: error });
    throw error;
  }
}

function wholeSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}
