/**
 * What a CSR must be. One rule, one clause, one code; the order is from cheap to dear, so that garbage costs no
 * signature check. It never decides an identity: that comes from attested facts, and a CSR may only agree with it.
 */
import { Refusal, type RefusalCode } from '../../shared/errors/refusal.ts';
import type { ParsedCsr } from '../../shared/x509/csr.ts';

export interface CsrRule {
  readonly name: string;
  readonly clause: string;
  readonly code: RefusalCode;
  readonly holds: (csr: ParsedCsr, spiffeId: string) => boolean;
}

/** Bytes; the same bound as for PEM in read-csr.ts, for requests that arrive in DER. */
const MOST_DER = 16 * 1024;

export const CSR_RULES: readonly CsrRule[] = [
  {
    name: 'size',
    clause: 'a limit of ours; the largest accepted key, RSA-8192, needs 2.2 KiB',
    code: 'csr_too_large',
    holds: (csr) => csr.der.length <= MOST_DER,
  },
  {
    name: 'key kind',
    clause: 'NIST SP 800-57 part 1, table 2: at least 112 bits of strength',
    code: 'csr_key_unsupported',
    holds: ({ key }) => isAcceptedKey(key.kind, key.bits),
  },
  {
    name: 'extensions at most once',
    clause: 'RFC 5280 §4.2',
    code: 'csr_extension_duplicate',
    holds: (csr) => csr.duplicateExtensions.length === 0,
  },
  {
    name: 'no unknown critical extension',
    clause: 'RFC 5280 §4.2: what is critical and not understood must be refused',
    code: 'csr_extension_critical_unknown',
    holds: (csr) => csr.unknownCriticalExtensions.length === 0,
  },
  {
    name: 'not an authority',
    clause: 'SPIFFE X509-SVID §4.1: a leaf has cA false',
    code: 'csr_ca_requested',
    holds: (csr) => !csr.caRequested,
  },
  {
    name: 'one URI name at most',
    clause: 'SPIFFE X509-SVID §2: exactly one URI name',
    code: 'csr_names_several',
    holds: (csr) => csr.uriNames.length <= 1,
  },
  {
    name: 'no other kind of name',
    clause: 'the token proves a SPIFFE ID, and no DNS name, address or mailbox',
    code: 'csr_identity_mismatch',
    holds: (csr) => csr.otherNames === 0,
  },
  {
    name: 'the attested name or none',
    clause: 'SPIFFE X509-SVID §2: the URI name is the SPIFFE ID, compared as bytes',
    code: 'csr_identity_mismatch',
    holds: (csr, spiffeId) => csr.uriNames.every((uri) => uri === spiffeId),
  },
  {
    name: 'proof of possession',
    clause: 'RFC 2986 §4.2: signed by the key that it carries',
    code: 'csr_signature_invalid',
    holds: (csr) => csr.isSelfSigned(),
  },
];

/** @throws {Refusal} with the code of the first rule that does not hold */
export function checkCsr(csr: ParsedCsr, spiffeId: string): void {
  const broken = CSR_RULES.find((rule) => !rule.holds(csr, spiffeId));
  if (broken)
    throw new Refusal(broken.code, `rule "${broken.name}": ${broken.clause}; key ${csr.key.kind} ${csr.key.bits}`);
}

function isAcceptedKey(kind: ParsedCsr['key']['kind'], bits: number): boolean {
  if (kind === 'RSA') return bits >= 2048 && bits <= 8192;
  return kind === 'P-256' || kind === 'P-384' || kind === 'Ed25519';
}
