/** Good chains, and chains with a fault in the path (RFC 5280 §6.1): dates, signatures, issuers, constraints. */
import { extension, nil, oid, seq } from '../../../shared/x509/der-writer.ts';
import { OID } from '../../../shared/x509/oids.ts';
import { USAGE } from '../../support/test-certificate.ts';
import { type ChainCase, NO_ORACLE, OPENSSL_ONLY, SIGNATURES_ONLY } from './chain-case.ts';
import {
  dnsConstraint,
  forged,
  future,
  leaf,
  namesApart,
  past,
  renamedRoot,
  root,
  rootPathLength,
  signedByLeaf,
  trailing,
  under,
  underTwo,
  weakIntermediate,
  withRootSent,
} from './chains.ts';

const UNKNOWN_CRITICAL = extension('1.3.6.1.4.1.99999.1', true, nil());
const BOTH = [USAGE.keyCertSign, USAGE.cRLSign];

export const GOOD_CHAINS: readonly ChainCase[] = [
  { name: 'a leaf under the root', make: () => leaf() },
  { name: 'a leaf under an intermediate', make: () => under({}) },
  { name: 'a leaf under two intermediates', make: () => underTwo({}, {}) },
  {
    name: 'a leaf with DNS and IP names beside the URI',
    make: () => leaf({ dnsNames: ['web.test'], ipAddresses: ['10.0.0.1'] }),
  },
  { name: 'a leaf with a subject', make: () => leaf({ subject: 'web' }) },
  { name: 'a leaf without basicConstraints', make: () => leaf({ withoutBasicConstraints: true }) },
  { name: 'a leaf without extended key usage', make: () => leaf({ extendedKeyUsage: [] }) },
  {
    name: 'a leaf with keyEncipherment too',
    make: () => leaf({ keyUsage: [USAGE.digitalSignature, USAGE.keyEncipherment] }),
  },
  { name: 'P-384 above P-256', make: () => leaf({ signature: 'sha384' }, { keyType: 'P-384', signature: 'sha384' }) },
  {
    name: 'P-521 all through',
    make: () => leaf({ keyType: 'P-521', signature: 'sha512' }, { keyType: 'P-521', signature: 'sha512' }),
  },
  { name: 'RSA all through', make: () => leaf({ keyType: 'RSA-2048' }, { keyType: 'RSA-2048' }) },
  {
    name: 'RSA-PSS',
    make: () => leaf({ signature: 'pss-sha256' }, { keyType: 'RSA-2048', signature: 'pss-sha256' }),
  },
  { name: 'Ed25519 all through', make: () => leaf({ keyType: 'Ed25519' }, { keyType: 'Ed25519' }), silent: ['pkijs'] },
  { name: 'path length 0 directly above the leaf', make: () => under({ pathLength: 0 }) },
  { name: 'path length 1 with one intermediate below', make: () => underTwo({ pathLength: 1 }, {}) },
  {
    name: 'a name constraint that permits the trust domain',
    make: () => under({ nameConstraints: { permitted: ['a.test'] } }),
  },
  {
    name: 'a name constraint on hosts below another',
    make: () => under({ nameConstraints: { permitted: ['.test'] } }),
  },
  { name: 'a name constraint that excludes another', make: () => under({ nameConstraints: { excluded: ['b.test'] } }) },
  {
    name: 'an intermediate that may be used for both sides',
    make: () => under({ extendedKeyUsage: [OID.serverAuth, OID.clientAuth] }),
  },
  { name: 'a chain that ends with the root itself', make: withRootSent },
];

export const BROKEN_PATHS: readonly ChainCase[] = [
  { name: 'an expired leaf', code: 'peer_certificate_expired', make: () => leaf(past()) },
  { name: 'a leaf from the future', code: 'peer_certificate_not_yet_valid', make: () => leaf(future()) },
  { name: 'an expired intermediate', code: 'peer_certificate_expired', make: () => under(past()) },
  { name: 'an intermediate from the future', code: 'peer_certificate_not_yet_valid', make: () => under(future()) },
  { name: 'an expired root', code: 'peer_certificate_expired', make: () => leaf({}, past()) },
  { name: 'a forged leaf', code: 'peer_untrusted', make: () => forged(leaf(), 0) },
  { name: 'a forged leaf under an intermediate', code: 'peer_untrusted', make: () => forged(under({}), 0) },
  { name: 'a forged intermediate', code: 'peer_untrusted', make: () => forged(under({}), 1) },
  {
    name: 'a root of the same name with another key',
    code: 'peer_untrusted',
    make: () => ({ chain: leaf().chain, root: root().der }),
  },
  { name: 'names that do not chain', code: 'peer_untrusted', make: namesApart },
  { name: 'a root of the same key with another name', code: 'peer_untrusted', make: renamedRoot },
  { name: 'a leaf signed by a leaf', code: 'peer_chain_invalid', make: signedByLeaf, silent: SIGNATURES_ONLY },
  {
    name: 'an intermediate with cA false',
    code: 'peer_chain_invalid',
    make: () => under({ ca: false }),
    silent: SIGNATURES_ONLY,
  },
  {
    name: 'an intermediate without basicConstraints',
    code: 'peer_chain_invalid',
    make: () => under({ withoutBasicConstraints: true }),
    silent: SIGNATURES_ONLY,
  },
  {
    name: 'an intermediate without keyCertSign',
    code: 'peer_chain_invalid',
    make: () => under({ keyUsage: [USAGE.cRLSign] }),
    silent: SIGNATURES_ONLY,
  },
  // SPIFFE X509-SVID §4.3 asks for more than RFC 5280 here.
  {
    name: 'an intermediate without key usage',
    code: 'peer_chain_invalid',
    make: () => under({ keyUsage: [] }),
    silent: OPENSSL_ONLY,
  },
  {
    name: 'an intermediate whose key usage is not critical',
    code: 'peer_chain_invalid',
    make: () => under({ keyUsage: BOTH, keyUsageCritical: false }),
    silent: NO_ORACLE,
  },
  {
    name: 'an intermediate for servers only',
    code: 'peer_chain_invalid',
    make: () => under({ extendedKeyUsage: [OID.serverAuth] }),
    silent: OPENSSL_ONLY,
  },
  {
    name: 'an intermediate for any purpose',
    code: 'peer_chain_invalid',
    make: () => under({ extendedKeyUsage: [OID.anyExtendedKeyUsage] }),
    silent: OPENSSL_ONLY,
  },
  {
    name: 'path length 0 with an intermediate below',
    code: 'peer_chain_invalid',
    make: () => underTwo({ pathLength: 0 }, {}),
    silent: OPENSSL_ONLY,
  },
  {
    name: 'path length 0 of the root with an intermediate below',
    code: 'peer_chain_invalid',
    make: rootPathLength,
    silent: OPENSSL_ONLY,
  },
  {
    name: 'a name constraint that permits another trust domain',
    code: 'peer_name_not_permitted',
    make: () => under({ nameConstraints: { permitted: ['b.test'] } }),
    silent: SIGNATURES_ONLY,
  },
  {
    name: 'a name constraint that excludes the trust domain',
    code: 'peer_name_not_permitted',
    make: () => under({ nameConstraints: { excluded: ['a.test'] } }),
    silent: SIGNATURES_ONLY,
  },
  {
    name: 'a name constraint on hosts below the trust domain',
    code: 'peer_name_not_permitted',
    make: () => under({ nameConstraints: { permitted: ['.a.test'] } }),
    silent: SIGNATURES_ONLY,
  },
  {
    name: 'a constraint two steps above',
    code: 'peer_name_not_permitted',
    make: () => underTwo({ nameConstraints: { permitted: ['b.test'] } }, {}),
    silent: SIGNATURES_ONLY,
  },
  {
    name: 'a DNS constraint and a DNS name outside of it',
    code: 'peer_name_not_permitted',
    make: () => under({ extensions: [dnsConstraint('b.test')] }, { dnsNames: ['web.a.test'] }),
    silent: SIGNATURES_ONLY,
  },
  {
    name: 'an unknown critical extension in the leaf',
    code: 'peer_extension_critical_unknown',
    make: () => leaf({ extensions: [UNKNOWN_CRITICAL] }),
    silent: OPENSSL_ONLY,
  },
  {
    name: 'an unknown critical extension in an intermediate',
    code: 'peer_extension_critical_unknown',
    make: () => under({ extensions: [UNKNOWN_CRITICAL] }),
    silent: OPENSSL_ONLY,
  },
  // @peculiar/x509 and pkijs still verify SHA-1.
  {
    name: 'an ECDSA signature with SHA-1',
    code: 'peer_algorithm_forbidden',
    make: () => leaf({ signature: 'sha1' }),
    silent: OPENSSL_ONLY,
  },
  {
    name: 'an RSA signature with SHA-1',
    code: 'peer_algorithm_forbidden',
    make: () => leaf({ signature: 'sha1' }, { keyType: 'RSA-2048' }),
    silent: OPENSSL_ONLY,
  },
  {
    name: 'a SHA-1 signature on an intermediate',
    code: 'peer_algorithm_forbidden',
    make: () => under({ signature: 'sha1' }),
    silent: OPENSSL_ONLY,
  },
  {
    name: 'an RSA-1024 leaf',
    code: 'peer_algorithm_forbidden',
    make: () => leaf({ keyType: 'RSA-1024' }),
    silent: OPENSSL_ONLY,
  },
  { name: 'an RSA-1024 intermediate', code: 'peer_algorithm_forbidden', make: weakIntermediate, silent: OPENSSL_ONLY },
  {
    name: 'a leaf on another curve',
    code: 'peer_algorithm_forbidden',
    make: () => leaf({ keyType: 'secp256k1' }),
    silent: NO_ORACLE,
  },
  {
    name: 'two signature algorithms',
    code: 'peer_certificate_malformed',
    make: () => leaf({ outerAlgorithm: seq(oid(OID.ecdsaWithSha384)) }),
  },
  {
    name: 'an extension that comes twice',
    code: 'peer_certificate_malformed',
    make: () => leaf({ extensions: [extension(OID.keyUsage, true, Buffer.from('03020780', 'hex'))] }),
    silent: OPENSSL_ONLY,
  },
  { name: 'bytes behind the certificate', code: 'peer_certificate_malformed', make: trailing, silent: NO_ORACLE },
  {
    name: 'an empty subject and a name that is not critical',
    code: 'peer_certificate_malformed',
    make: () => leaf({ namesCritical: false }),
    silent: OPENSSL_ONLY,
  },
];
