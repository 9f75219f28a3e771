/**
 * What a certificate must be to name a workload: the SPIFFE X509-SVID rules for a leaf, one rule, one clause,
 * one code. The order is the order in which a reader would want to know. It says nothing about who signed it or when it is
 * valid: that is verify-svid.
 */
import { Refusal, type RefusalCode } from '../errors/refusal.ts';
import { parseSpiffeId, type SpiffeId, SpiffeIdError } from '../spiffe/spiffe-id.ts';
import type { Certificate } from './certificate.ts';
import { DerError } from './der-reader.ts';
import { isKeyAccepted, keyKindOf } from './key-kind.ts';
import { coversBothSides } from './key-purposes.ts';

export interface SvidRule {
  /** For log and tests. */
  readonly name: string;
  readonly code: RefusalCode;
  readonly holds: (leaf: Certificate) => boolean;
}

export const LEAF_RULES: readonly SvidRule[] = [
  // X509-SVID §4.1, §5.2: cA is false on a leaf. Signing certificates must not authenticate anything (§3.2).
  { name: 'leaf is not an authority', code: 'peer_certificate_is_ca', holds: (leaf) => !leaf.isCa },
  // X509-SVID §4.3: key usage is there and critical.
  { name: 'key usage is present', code: 'peer_key_usage_invalid', holds: (leaf) => leaf.keyUsage !== undefined },
  { name: 'key usage is critical', code: 'peer_key_usage_invalid', holds: (leaf) => leaf.keyUsage?.critical === true },
  // X509-SVID §4.3, §5.2: digitalSignature yes, keyCertSign and cRLSign no.
  {
    name: 'digitalSignature',
    code: 'peer_key_usage_invalid',
    holds: (leaf) => leaf.keyUsage?.digitalSignature === true,
  },
  { name: 'no keyCertSign', code: 'peer_key_usage_invalid', holds: (leaf) => leaf.keyUsage?.keyCertSign === false },
  { name: 'no cRLSign', code: 'peer_key_usage_invalid', holds: (leaf) => leaf.keyUsage?.cRLSign === false },
  // X509-SVID §4.4: if there is an extended key usage, it names both sides.
  {
    name: 'server and client',
    code: 'peer_key_usage_invalid',
    holds: (leaf) => coversBothSides(leaf.extendedKeyUsage),
  },
  // RFC 5280 §4.2: an unknown critical extension must be refused.
  {
    name: 'critical extensions are understood',
    code: 'peer_extension_critical_unknown',
    holds: (leaf) => leaf.unknownCriticalExtensions.length === 0,
  },
  // No clause of SPIFFE: NIST SP 800-57. A weak key lets anyone be this workload.
  { name: 'accepted key', code: 'peer_algorithm_forbidden', holds: (leaf) => hasAcceptedKey(leaf.spki) },
  // X509-SVID §2, §5.2: exactly one URI name.
  { name: 'a URI name', code: 'peer_spiffe_id_missing', holds: (leaf) => leaf.uriNames.length > 0 },
  { name: 'one URI name', code: 'peer_spiffe_id_several', holds: (leaf) => leaf.uriNames.length === 1 },
  // X509-SVID §3.1, RFC 5280 §4.1.2.6: with an empty subject the alternative name is critical.
  {
    name: 'critical name when the subject is empty',
    code: 'peer_certificate_malformed',
    holds: (leaf) => !leaf.subjectEmpty || leaf.subjectAltNameCritical,
  },
];

/**
 * @returns the SPIFFE ID that the leaf carries, which is worth nothing until the chain is verified
 * @throws {Refusal} with the code of the first rule that does not hold
 */
export function checkSvidLeaf(leaf: Certificate): SpiffeId {
  const broken = LEAF_RULES.find((rule) => !rule.holds(leaf));
  if (broken) throw new Refusal(broken.code, `rule: ${broken.name}`);
  const spiffeId = spiffeIdOf(leaf.uriNames[0] ?? '');
  // X509-SVID §3.1, §5.2: the ID of a leaf has a path; without one it names the trust domain itself.
  if (spiffeId.path === '') throw new Refusal('peer_spiffe_id_root', 'rule: the ID has a path');
  return spiffeId;
}

/** X509-SVID §2, §5.2: the URI name is a SPIFFE ID. */
function spiffeIdOf(uri: string): SpiffeId {
  try {
    return parseSpiffeId(uri);
  } catch (error) {
    if (error instanceof SpiffeIdError) throw new Refusal('peer_spiffe_id_invalid', error.message);
    throw error;
  }
}

function hasAcceptedKey(spki: Buffer): boolean {
  try {
    return isKeyAccepted(keyKindOf(spki));
  } catch (error) {
    if (error instanceof DerError) return false;
    throw error;
  }
}
