/**
 * What a certificate must be to sign others: the SPIFFE X509-SVID and RFC 5280 rules for intermediates and
 * authorities, one rule, one clause. Names and path length depend on what is below and are judged in verify-svid.
 */
import type { Certificate } from './certificate.ts';
import { coversBothSides } from './key-purposes.ts';

export interface IssuerRule {
  /** For log and tests. */
  readonly name: string;
  readonly holds: (issuer: Certificate) => boolean;
}

export const ISSUER_RULES: readonly IssuerRule[] = [
  // X509-SVID §4.1, RFC 5280 §6.1.4 (k): cA is true.
  { name: 'issuer is an authority', holds: (issuer) => issuer.isCa },
  // X509-SVID §4.3: key usage is critical and has keyCertSign (RFC 5280 §6.1.4 (n)).
  { name: 'issuer has keyCertSign', holds: (issuer) => issuer.keyUsage?.keyCertSign === true },
  { name: 'issuer key usage is critical', holds: (issuer) => issuer.keyUsage?.critical === true },
  // RFC 5280 §4.1.2.6: an authority has a subject.
  { name: 'issuer has a subject', holds: (issuer) => !issuer.subjectEmpty },
  // OpenSSL and others let the purposes of an issuer bound those below. An SVID needs both sides (X509-SVID §4.4).
  { name: 'issuer may issue for server and client', holds: (issuer) => coversBothSides(issuer.extendedKeyUsage) },
];

/** The name of the first rule that does not hold, or undefined. */
export function issuerFlaw(issuer: Certificate): string | undefined {
  return ISSUER_RULES.find((rule) => !rule.holds(issuer))?.name;
}
