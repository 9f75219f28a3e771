/** GET /identity: who this sidecar is, until when, whom it believes and how renewal goes. Never a key, a token or a PEM. */
import type { Clock } from '../../shared/clock/clock.ts';
import { jsonPage, type Page } from '../../shared/http/plain-http-server.ts';
import type { Identity, Trust } from '../identity/identity.ts';
import type { RenewalState } from '../identity/renewal-loop.ts';

export interface IdentityPageParts {
  readonly store: { readonly identity: Identity | undefined; readonly trust: Trust | undefined };
  readonly renewal: { readonly state: RenewalState };
  readonly clock: Clock;
}

export function identityPage({ store, renewal, clock }: IdentityPageParts): Page {
  const { identity, trust } = store;
  const { nextTryAt, lastFailure, failures } = renewal.state;
  return jsonPage({
    identity: identity ? shownIdentity(identity, clock.now()) : null,
    trust: trust ? shownTrust(trust) : null,
    renewal: {
      nextTryAt: isoOf(nextTryAt),
      failuresSinceSuccess: failures,
      lastFailure: lastFailure ? { code: lastFailure.code, at: isoOf(lastFailure.at) } : null,
    },
  });
}

function shownIdentity(
  { spiffeId, leaf, notBefore, notAfter, generation, chainFingerprints }: Identity,
  now: number,
): object {
  return {
    spiffeId: spiffeId.uri,
    serial: leaf.serial,
    notBefore: isoOf(notBefore),
    notAfter: isoOf(notAfter),
    expired: notAfter <= now,
    generation,
    chainSha256: chainFingerprints,
  };
}

function shownTrust({ anchors, version, sequence }: Trust): object {
  const bundles = anchors.trustDomains.map((trustDomain) => ({
    trustDomain,
    authoritiesSha256: (anchors.of(trustDomain) ?? []).map(({ certificate }) => certificate.fingerprint),
  }));
  return { version, sequence: sequence ?? null, bundles };
}

function isoOf(milliseconds: number | undefined): string | null {
  return milliseconds === undefined ? null : new Date(milliseconds).toISOString();
}
