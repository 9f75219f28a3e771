/**
 * The one place that holds the present identity and trust. New material is verified with the verifier that peers
 * are judged by before it replaces anything (a bad answer of citadel never displaces a good certificate), and is
 * swapped as a whole. It fetches nothing and knows no TLS.
 */
import { createHash, createPublicKey } from 'node:crypto';
import type { Clock } from '../../shared/clock/clock.ts';
import { asRefusal, Refusal } from '../../shared/errors/refusal.ts';
import type { Log } from '../../shared/log/log.ts';
import type { TrustBundle } from '../../shared/spiffe/trust-bundle.ts';
import { encodePem } from '../../shared/x509/pem.ts';
import { anchorsOf, type TrustAnchors } from '../../shared/x509/trust-anchors.ts';
import { type VerifiedSvid, verifySvid } from '../../shared/x509/verify-svid.ts';
import type { Candidate, Identity, PublishedIdentity, Trust } from './identity.ts';

export interface IdentityStoreOptions {
  /** The own trust domain: an identity or a bundle of another one is refused. */
  readonly trustDomain: string;
  readonly clock: Clock;
  readonly log: Log;
}

export class IdentityStore implements PublishedIdentity {
  readonly #options: IdentityStoreOptions;
  readonly #listeners = new Set<() => void>();
  #identity: Identity | undefined;
  #trust: Trust | undefined;
  #bundle: TrustBundle | undefined;

  constructor(options: IdentityStoreOptions) {
    this.#options = options;
  }

  get identity(): Identity | undefined {
    return this.#identity;
  }

  get trust(): Trust | undefined {
    return this.#trust;
  }

  /** @throws {Refusal} citadel_answer_invalid; the old identity stays then */
  publish(candidate: Candidate): Identity {
    const verified = this.#verify(candidate);
    const identity: Identity = Object.freeze({
      spiffeId: verified.spiffeId,
      chain: candidate.chain,
      chainPem: candidate.chain.map((der) => encodePem('CERTIFICATE', der)).join(''),
      keyPem: candidate.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      leaf: verified.leaf,
      chainFingerprints: candidate.chain.map((der) => createHash('sha256').update(der).digest('hex')),
      notBefore: verified.leaf.notBefore,
      notAfter: verified.notAfter,
      generation: (this.#identity?.generation ?? 0) + 1,
    });
    this.#identity = identity;
    this.#notify();
    return identity;
  }

  /**
   * Takes over the roots that came with a certificate, unless a bundle is known already: without a sequence
   * number nobody could tell whether they are newer.
   */
  bootstrapTrust(authorities: readonly Buffer[]): void {
    if (this.#trust) return;
    this.#setTrust(
      { trustDomain: this.#options.trustDomain, sequence: 0, refreshHintSeconds: 0, authorities },
      undefined,
    );
  }

  /** @throws {Refusal} citadel_answer_invalid when the bundle is of another trust domain, older, or unusable */
  publishTrust(bundle: TrustBundle): void {
    const { trustDomain, log } = this.#options;
    if (bundle.trustDomain !== trustDomain) throw invalid(`a bundle of the trust domain ${bundle.trustDomain}`);
    const known = this.#trust?.sequence;
    // SPIFFE Trust Domain and Bundle §4.1.1: the sequence rises whenever the content changes. Going back would
    // bring withdrawn roots back to life.
    if (known !== undefined && bundle.sequence < known)
      throw invalid(`bundle ${bundle.sequence} is older than ${known}`);
    if (known === bundle.sequence) {
      if (this.#bundle && sameAuthorities(this.#bundle, bundle)) return;
      throw invalid(`another bundle is known under the sequence ${known}`);
    }
    this.#setTrust(bundle, bundle.sequence);
    // Trust Domain and Bundle §4.1.3: an empty key set makes every SVID of the trust domain invalid.
    if (bundle.authorities.length === 0) log.error('bundle_empty', { trustDomain, sequence: bundle.sequence });
  }

  /** Whether a peer with the present trust would accept the present identity now. */
  ownIdentityHolds(): boolean {
    if (!this.#identity || !this.#trust) return false;
    return isVerifiable(this.#identity.chain, this.#trust.anchors, this.#options.clock.now());
  }

  /** @param fn called after every change; what it throws is logged and disturbs no other listener */
  onChange(fn: () => void): () => void {
    this.#listeners.add(fn);
    return () => void this.#listeners.delete(fn);
  }

  #verify({ chain, privateKey }: Candidate): VerifiedSvid {
    if (!this.#trust) throw new Refusal('citadel_answer_invalid', 'no bundle to verify it with');
    let verified: VerifiedSvid;
    try {
      verified = verifySvid(chain, this.#trust.anchors, this.#options.clock.now());
    } catch (error) {
      const { code, detail } = asRefusal(error, 'peer_certificate_malformed');
      throw new Refusal('citadel_answer_invalid', { detail: `${code} ${detail}`.trim(), cause: error });
    }
    if (verified.spiffeId.trustDomain !== this.#options.trustDomain)
      throw invalid(`an identity ${verified.spiffeId.uri}`);
    const own = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
    if (!own.equals(verified.leaf.spki)) throw invalid('a certificate for another key');
    return verified;
  }

  #setTrust(bundle: TrustBundle, sequence: number | undefined): void {
    let anchors: TrustAnchors;
    try {
      anchors = anchorsOf([bundle]);
    } catch (error) {
      throw new Refusal('citadel_answer_invalid', { detail: 'a bundle with an unusable authority', cause: error });
    }
    const caPem = bundle.authorities.map((der) => encodePem('CERTIFICATE', der));
    this.#trust = Object.freeze({ anchors, caPem, version: (this.#trust?.version ?? 0) + 1, sequence });
    this.#bundle = bundle;
    this.#notify();
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener();
      } catch (error) {
        this.#options.log.error('identity_listener_failed', {
          reason: error instanceof Error ? error.message : String(error),
        });
      }
    }
  }
}

function invalid(what: string): Refusal {
  return new Refusal('citadel_answer_invalid', `answered ${what}`);
}

function isVerifiable(chain: readonly Buffer[], anchors: TrustAnchors, now: number): boolean {
  try {
    verifySvid(chain, anchors, now);
    return true;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}

function sameAuthorities(one: TrustBundle, other: TrustBundle): boolean {
  return (
    one.authorities.length === other.authorities.length &&
    one.authorities.every((der, at) => der.equals(other.authorities[at]!))
  );
}
