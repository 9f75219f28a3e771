/** Good certificates on a good path that are no SVIDs (SPIFFE X509-SVID §2, §4, §5.2). */
import { OID } from '../../../shared/x509/oids.ts';
import { USAGE } from '../../support/test-certificate.ts';
import { type ChainCase, NO_ORACLE, OPENSSL_ONLY } from './chain-case.ts';
import { leaf, root } from './chains.ts';

export const NO_SVIDS: readonly ChainCase[] = [
  {
    name: 'no names',
    code: 'peer_spiffe_id_missing',
    make: () => leaf({ uris: [], subject: 'web' }),
    silent: NO_ORACLE,
  },
  {
    name: 'a DNS name only',
    code: 'peer_spiffe_id_missing',
    make: () => leaf({ uris: [], dnsNames: ['a.test'] }),
    silent: NO_ORACLE,
  },
  {
    name: 'two URI names',
    code: 'peer_spiffe_id_several',
    make: () => leaf({ uris: ['spiffe://a.test/x', 'spiffe://a.test/y'] }),
    silent: NO_ORACLE,
  },
  {
    name: 'the same URI name twice',
    code: 'peer_spiffe_id_several',
    make: () => leaf({ uris: ['spiffe://a.test/x', 'spiffe://a.test/x'] }),
    silent: NO_ORACLE,
  },
  {
    name: 'a SPIFFE ID and another URI',
    code: 'peer_spiffe_id_several',
    make: () => leaf({ uris: ['spiffe://a.test/x', 'https://a.test/'] }),
    silent: NO_ORACLE,
  },
  {
    name: 'another kind of URI',
    code: 'peer_spiffe_id_invalid',
    make: () => leaf({ uri: 'https://a.test/x' }),
    silent: NO_ORACLE,
  },
  {
    name: 'an ID in upper case',
    code: 'peer_spiffe_id_invalid',
    make: () => leaf({ uri: 'spiffe://A.TEST/x' }),
    silent: NO_ORACLE,
  },
  {
    name: 'an ID with NUL inside',
    code: 'peer_spiffe_id_invalid',
    make: () => leaf({ uri: 'spiffe://a.test/x\0.b.test' }),
    silent: NO_ORACLE,
  },
  {
    name: 'the trust domain as leaf',
    code: 'peer_spiffe_id_root',
    make: () => leaf({ uri: 'spiffe://a.test' }),
    silent: NO_ORACLE,
  },
  {
    name: 'another trust domain',
    code: 'peer_trust_domain_unknown',
    make: () => leaf({ uri: 'spiffe://b.test/x' }),
    silent: NO_ORACLE,
  },
  {
    name: 'an authority as leaf',
    code: 'peer_certificate_is_ca',
    make: () => leaf({ ca: true, keyUsage: [USAGE.digitalSignature, USAGE.keyCertSign] }),
    silent: NO_ORACLE,
  },
  {
    name: 'the root as leaf',
    code: 'peer_certificate_is_ca',
    make: () => {
      const { der } = root();
      return { chain: [der], root: der };
    },
    silent: NO_ORACLE,
  },
  { name: 'no key usage', code: 'peer_key_usage_invalid', make: () => leaf({ keyUsage: [] }), silent: NO_ORACLE },
  {
    name: 'a key usage that is not critical',
    code: 'peer_key_usage_invalid',
    make: () => leaf({ keyUsageCritical: false }),
    silent: NO_ORACLE,
  },
  {
    name: 'no digitalSignature',
    code: 'peer_key_usage_invalid',
    make: () => leaf({ keyUsage: [USAGE.keyEncipherment] }),
    silent: OPENSSL_ONLY,
  },
  {
    name: 'keyCertSign in a leaf',
    code: 'peer_key_usage_invalid',
    make: () => leaf({ keyUsage: [USAGE.digitalSignature, USAGE.keyCertSign] }),
    silent: OPENSSL_ONLY,
  },
  {
    name: 'cRLSign in a leaf',
    code: 'peer_key_usage_invalid',
    make: () => leaf({ keyUsage: [USAGE.digitalSignature, USAGE.cRLSign] }),
    silent: NO_ORACLE,
  },
  {
    name: 'a leaf for clients only',
    code: 'peer_key_usage_invalid',
    make: () => leaf({ extendedKeyUsage: [OID.clientAuth] }),
    silent: OPENSSL_ONLY,
  },
  {
    name: 'a leaf for servers only',
    code: 'peer_key_usage_invalid',
    make: () => leaf({ extendedKeyUsage: [OID.serverAuth] }),
    silent: OPENSSL_ONLY,
  },
  {
    name: 'no certificate',
    code: 'peer_certificate_missing',
    make: () => ({ chain: [], root: root().der }),
    silent: NO_ORACLE,
  },
];
