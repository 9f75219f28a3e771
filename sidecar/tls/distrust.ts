/**
 * Whether a live connection would still come about under a newer bundle. A TLS session does not ask again after its
 * handshake, so whoever lost its authority would otherwise stay until its certificate ends. Dates are not judged
 * here: every connection has a timer for those. It closes nothing.
 */
import { Refusal, type RefusalCode } from '../../shared/errors/refusal.ts';
import type { TrustAnchors } from '../../shared/x509/trust-anchors.ts';
import { verifySvid } from '../../shared/x509/verify-svid.ts';
import type { Identity } from '../identity/identity.ts';
import type { VerifiedPeer } from './peer-check.ts';

const ABOUT_TIME: ReadonlySet<RefusalCode> = new Set(['peer_certificate_expired', 'peer_certificate_not_yet_valid']);

/** Whether an authority that was trusted before is not any more. A bundle that only grew takes trust from nobody. */
export function takesTrustAway(before: TrustAnchors, after: TrustAnchors): boolean {
  return before.trustDomains.some((trustDomain) => {
    const kept = new Set(after.of(trustDomain)?.map(({ certificate }) => certificate.fingerprint));
    return before.of(trustDomain)!.some(({ certificate }) => !kept.has(certificate.fingerprint));
  });
}

/** One bundle's judgement of many connections: each certificate is verified once, however many connections it opened. */
export class DistrustCheck {
  readonly #anchors: TrustAnchors;
  readonly #now: number;
  readonly #verdicts = new Map<string, Refusal | undefined>();

  constructor(anchors: TrustAnchors, now: number) {
    this.#anchors = anchors;
    this.#now = now;
  }

  /** @returns `connection_distrusted` when the authority behind either certificate is gone */
  of(peer: VerifiedPeer, own: Identity): Refusal | undefined {
    return this.#once('peer', peer.certificateHash, peer.chain) ?? this.#once('own', own.leaf.fingerprint, own.chain);
  }

  #once(whose: string, certificate: string, chain: readonly Buffer[]): Refusal | undefined {
    if (!this.#verdicts.has(certificate))
      this.#verdicts.set(
        certificate,
        distrust(whose, () => void verifySvid(chain, this.#anchors, this.#now)),
      );
    return this.#verdicts.get(certificate);
  }
}

function distrust(whose: string, verify: () => void): Refusal | undefined {
  try {
    verify();
    return undefined;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (ABOUT_TIME.has(error.code)) return undefined;
    return new Refusal('connection_distrusted', { detail: `${whose} certificate: ${error.code}`, cause: error });
  }
}
