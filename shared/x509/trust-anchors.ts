/**
 * The authorities that are trusted, each for one trust domain only, with their keys made ready. A bundle with
 * one unfit authority is refused whole: half a bundle would fail later and elsewhere. Dates are not judged here,
 * because they change while anchors are held.
 */
import type { KeyObject } from 'node:crypto';
import { BundleError, type TrustBundle } from '../spiffe/trust-bundle.ts';
import { type Certificate, readCertificate } from './certificate.ts';
import { issuerFlaw } from './issuer-rules.ts';
import { publicKeyOf } from './public-key.ts';
import { VouchedIssuers } from './vouched-issuers.ts';

/** Whoever signs, with its key made ready. */
export interface Issuer {
  readonly certificate: Certificate;
  readonly key: KeyObject;
}

export interface Anchor extends Issuer {
  /** By `key`. */
  readonly vouched: VouchedIssuers;
}

export interface TrustAnchors {
  /** The authorities of this trust domain and no other; undefined when there is no bundle for it. */
  of(trustDomain: string): readonly Anchor[] | undefined;
  readonly trustDomains: readonly string[];
}

/** Bounds how many signatures one hostile chain can make us check. */
const MOST_AUTHORITIES = 64;

/** @throws {BundleError} when an authority may not sign, or when two bundles are for one trust domain */
export function anchorsOf(bundles: readonly TrustBundle[]): TrustAnchors {
  const anchors = new Map<string, readonly Anchor[]>();
  for (const { trustDomain, authorities } of bundles) {
    // SPIFFE Federation §4.2: bundles are not merged; which of two is right is not ours to guess.
    if (anchors.has(trustDomain)) throw new BundleError(`two bundles for ${trustDomain}`);
    if (authorities.length > MOST_AUTHORITIES) throw new BundleError(`more than ${MOST_AUTHORITIES} authorities`);
    anchors.set(trustDomain, authorities.map(anchorOf));
  }
  return { of: (trustDomain) => anchors.get(trustDomain), trustDomains: [...anchors.keys()] };
}

/** One authority. @throws {BundleError} when it may not sign certificates */
export function anchorOf(der: Buffer): Anchor {
  const certificate = readAuthority(der);
  const flaw = issuerFlaw(certificate);
  if (flaw) throw new BundleError(`authority ${certificate.fingerprint}: rule: ${flaw}`);
  // RFC 5280 §4.2: what is critical and not understood makes the certificate unusable.
  if (certificate.unknownCriticalExtensions.length > 0) {
    throw new BundleError(`authority ${certificate.fingerprint}: unknown critical extension`);
  }
  const key = publicKeyOf(certificate.spki);
  if (key === undefined) throw new BundleError(`authority ${certificate.fingerprint}: key is not accepted`);
  return { certificate, key, vouched: new VouchedIssuers() };
}

function readAuthority(der: Buffer): Certificate {
  try {
    return readCertificate(der);
  } catch (cause) {
    throw new BundleError('an authority is not a certificate', { cause });
  }
}
