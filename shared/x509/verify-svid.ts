/**
 * Verifies an X.509-SVID as a peer must: the leaf's rules, then a path (RFC 5280 §6.1) to an authority in
 * the bundle of the leaf's own trust domain and no other. Signatures are checked from the authority
 * downwards, so that no key is used before it has been vouched for. It reads no clock, and keeps nothing
 * but which intermediates an authority has signed.
 */
import { Refusal } from '../errors/refusal.ts';
import type { SpiffeId } from '../spiffe/spiffe-id.ts';
import { type Certificate, readCertificate } from './certificate.ts';
import { DerError } from './der-reader.ts';
import { issuerFlaw } from './issuer-rules.ts';
import { permits } from './name-constraints.ts';
import { publicKeyOf } from './public-key.ts';
import { isSignedBy, type SignatureScheme, schemeOf } from './signature-algorithms.ts';
import { checkSvidLeaf } from './svid-rules.ts';
import type { Anchor, Issuer, TrustAnchors } from './trust-anchors.ts';

export interface VerifiedSvid {
  readonly spiffeId: SpiffeId;
  readonly leaf: Certificate;
  /** The leaf and the intermediates that were used, in order; the authority is not in it. */
  readonly path: readonly Certificate[];
  /** Milliseconds since the Unix epoch: the earliest end among leaf, intermediates and authority. */
  readonly notAfter: number;
}

/** With the leaf. Bounds the work of a hostile chain. */
const LONGEST_CHAIN = 8;

/**
 * @param chain DER, leaf first, each signed by the next (RFC 8446 §4.4.2); what follows the last one needed is ignored
 * @param now milliseconds since the Unix epoch
 * @throws {Refusal} peer_*
 */
export function verifySvid(chain: readonly Buffer[], trust: TrustAnchors, now: number): VerifiedSvid {
  const [first] = chain;
  if (first === undefined) throw new Refusal('peer_certificate_missing');
  if (chain.length > LONGEST_CHAIN) throw new Refusal('peer_chain_invalid', `${chain.length} certificates`);
  const leaf = readPeerCertificate(first);
  const spiffeId = checkSvidLeaf(leaf);
  // SPIFFE Workload API §4.6, Federation §7.3: only the bundle of the peer's own trust domain counts.
  const anchors = trust.of(spiffeId.trustDomain);
  if (anchors === undefined) throw new Refusal('peer_trust_domain_unknown', spiffeId.trustDomain);
  const { path, anchor } = findPath(leaf, chain, anchors, now);
  return verified(spiffeId, leaf, path, anchor);
}

/**
 * The same rules for a leaf directly under an issuer that is known to be good: the check of one's own work.
 * @throws {Refusal} peer_*
 */
export function verifyLeafUnder(leaf: Buffer, issuer: Issuer, now: number): VerifiedSvid {
  const certificate = readPeerCertificate(leaf);
  const spiffeId = checkSvidLeaf(certificate);
  const path = [certificate];
  if (!isIssuedBy(certificate, issuer)) throw new Refusal('peer_untrusted', 'not signed by the issuer');
  const flaw = pathFlaw(path, issuer, now);
  if (flaw) throw flaw;
  return verified(spiffeId, certificate, path, issuer);
}

/**
 * The shortest beginning of the chain that an authority has signed and that has no flaw. Several authorities may
 * share name and key (a renewed root), so a flaw under one does not end the search under the others.
 */
function findPath(leaf: Certificate, chain: readonly Buffer[], anchors: readonly Anchor[], now: number) {
  const path: Certificate[] = [];
  let flaw: Refusal | undefined;
  for (const [i, der] of chain.entries()) {
    const certificate = i === 0 ? leaf : readPeerCertificate(der);
    const below = path.at(-1);
    if (below && !below.issuer.equals(certificate.subject)) break;
    path.push(certificate);
    for (const anchor of anchors) {
      if (!isVouchedBy(certificate, anchor)) continue;
      const found = pathFlaw(path, anchor, now);
      if (found === undefined) return { path, anchor };
      flaw ??= found;
    }
  }
  throw (
    flaw ?? new Refusal('peer_untrusted', `no authority of the trust domain signed any of ${path.length} certificates`)
  );
}

/** What is wrong with a path whose last certificate the anchor has signed, or undefined. */
function pathFlaw(path: readonly Certificate[], anchor: Issuer, now: number): Refusal | undefined {
  return (
    signatureFlaw(path) ??
    issuersFlaw([...path.slice(1), anchor.certificate], path) ??
    timeFlaw([...path, anchor.certificate], now)
  );
}

/** RFC 5280 §6.1.3 (a)(1), from the top: each certificate is signed by the one above it. */
function signatureFlaw(path: readonly Certificate[]): Refusal | undefined {
  for (let i = path.length - 1; i > 0; i -= 1) {
    const issuer = path[i]!;
    const key = publicKeyOf(issuer.spki);
    if (key === undefined) return new Refusal('peer_algorithm_forbidden', 'key of an intermediate');
    const subject = path[i - 1]!;
    if (!isSignedBy(key, acceptedScheme(subject), subject.tbs, subject.signature)) {
      return new Refusal('peer_untrusted', `certificate ${i - 1} of the chain is not signed by the next`);
    }
  }
  return undefined;
}

/** RFC 5280 §6.1.4 (k) to (n), (o) and §6.1.3 (b), (c) for each issuer, from the lowest up. */
function issuersFlaw(issuers: readonly Certificate[], path: readonly Certificate[]): Refusal | undefined {
  let below = 0;
  for (const [i, issuer] of issuers.entries()) {
    const rule = issuerFlaw(issuer);
    if (rule) return new Refusal('peer_chain_invalid', `rule: ${rule}`);
    if (issuer.unknownCriticalExtensions.length > 0) {
      return new Refusal('peer_extension_critical_unknown', issuer.unknownCriticalExtensions.join(' '));
    }
    // §4.2.1.9: how many intermediates may be below this issuer, self-issued ones not counted.
    if (issuer.pathLength !== undefined && below > issuer.pathLength) {
      return new Refusal('peer_chain_invalid', 'rule: path length');
    }
    if (!permitsAll(issuer, path.slice(0, i + 1))) return new Refusal('peer_name_not_permitted');
    if (!isSelfIssued(issuer)) below += 1;
  }
  return undefined;
}

/** §6.1.3 (b), (c): constraints hold for all below, except self-issued certificates that are not the leaf. */
function permitsAll(issuer: Certificate, below: readonly Certificate[]): boolean {
  const constraints = issuer.uriNameConstraints;
  if (constraints === undefined) return true;
  return below.every((certificate, i) => (i > 0 && isSelfIssued(certificate)) || permits(constraints, certificate));
}

/** RFC 5280 §4.1.2.5: both ends belong to the validity. */
function timeFlaw(certificates: readonly Certificate[], now: number): Refusal | undefined {
  for (const { notBefore, notAfter } of certificates) {
    if (now > notAfter) return new Refusal('peer_certificate_expired', `ended ${new Date(notAfter).toISOString()}`);
    if (now < notBefore) {
      return new Refusal('peer_certificate_not_yet_valid', `begins ${new Date(notBefore).toISOString()}`);
    }
  }
  return undefined;
}

/** Names chain, key identifiers agree where both are there, and the signature is by the anchor's key. */
function isIssuedBy(certificate: Certificate, { certificate: issuer, key }: Issuer): boolean {
  if (!certificate.issuer.equals(issuer.subject)) return false;
  const { authorityKeyId } = certificate;
  const { subjectKeyId } = issuer;
  if (authorityKeyId && subjectKeyId && !authorityKeyId.equals(subjectKeyId)) return false;
  return isSignedBy(key, acceptedScheme(certificate), certificate.tbs, certificate.signature);
}

/** As `isIssuedBy`, which is asked once for an intermediate. */
function isVouchedBy(certificate: Certificate, anchor: Anchor): boolean {
  if (!certificate.isCa) return isIssuedBy(certificate, anchor);
  const { vouched } = anchor;
  if (vouched.has(certificate.der)) return true;
  const isIssued = isIssuedBy(certificate, anchor);
  if (isIssued) vouched.add(certificate.der);
  return isIssued;
}

function acceptedScheme(certificate: Certificate): SignatureScheme {
  const { signatureAlgorithm: oid, signatureParameters: parameters } = certificate;
  const scheme = schemeOf({ oid, parameters });
  if (scheme === undefined) throw new Refusal('peer_algorithm_forbidden', oid);
  return scheme;
}

function readPeerCertificate(der: Buffer): Certificate {
  try {
    return readCertificate(der);
  } catch (error) {
    if (error instanceof DerError) throw new Refusal('peer_certificate_malformed', error.message);
    throw error;
  }
}

function verified(spiffeId: SpiffeId, leaf: Certificate, path: readonly Certificate[], anchor: Issuer): VerifiedSvid {
  const notAfter = Math.min(...path.map((certificate) => certificate.notAfter), anchor.certificate.notAfter);
  return { spiffeId, leaf, path, notAfter };
}

/** RFC 5280 §6.1: issuer and subject are the same name. */
const isSelfIssued = (certificate: Certificate): boolean => certificate.issuer.equals(certificate.subject);
