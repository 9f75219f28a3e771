/**
 * A certificate authority for tests, in memory: makes good SVIDs, and ones that are wrong in exactly what is
 * asked for (expired, two names, an authority as leaf, constrained intermediates …). `intermediate()` gives an
 * authority of the same kind one step below. It never touches a disk.
 */
import type { KeyObject } from 'node:crypto';
import { systemClock } from '../../shared/clock/clock.ts';
import type { TrustBundle } from '../../shared/spiffe/trust-bundle.ts';
import { OID } from '../../shared/x509/oids.ts';
import { encodePem } from '../../shared/x509/pem.ts';
import {
  buildCertificate,
  type CertificateOptions,
  commonName,
  type KeyPair,
  makeKeys,
  type TestKeyType,
  USAGE,
} from './test-certificate.ts';

export interface TestAuthorityOptions extends Partial<CertificateOptions> {
  readonly trustDomain: string;
  readonly keyType?: TestKeyType;
  readonly keys?: KeyPair;
}

export interface TestSvidOptions extends Partial<CertificateOptions> {
  /** One SPIFFE ID; `uris` for none or several. Default: service account `web` in namespace `default`. */
  readonly uri?: string;
  readonly keyType?: TestKeyType;
  readonly keys?: KeyPair;
}

export interface TestSvid {
  readonly uri: string;
  /** Leaf first, then the intermediates; the root is not in it. */
  readonly chainDer: readonly Buffer[];
  readonly chainPem: string;
  readonly keyPem: string;
  readonly keys: KeyPair;
}

export interface TestAuthority {
  readonly trustDomain: string;
  readonly keys: KeyPair;
  readonly name: Buffer;
  /** This authority's own certificate. */
  readonly der: Buffer;
  readonly pem: string;
  /** The certificate at the top, which is the same for intermediates. */
  readonly rootDer: Buffer;
  readonly rootPem: string;
  bundle(sequence?: number): TrustBundle;
  svid(options?: TestSvidOptions): TestSvid;
  intermediate(options?: Omit<TestAuthorityOptions, 'trustDomain'>): TestAuthority;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** A self-signed authority. Options that are not given make it good. */
export function createTestAuthority(options: TestAuthorityOptions): TestAuthority {
  const { trustDomain, subject = `${trustDomain} root` } = options;
  const keys = options.keys ?? makeKeys(options.keyType);
  const issuer = { name: commonName(subject), keys };
  const der = buildCertificate(issuer, keys.publicKey, { ...authorityDefaults(), ...options, subject });
  return authority(trustDomain, keys, issuer.name, der, [], der);
}

/** @param above this authority's certificate and those above it, without the root: what follows a leaf in its chain */
function authority(
  trustDomain: string,
  keys: KeyPair,
  name: Buffer,
  der: Buffer,
  above: readonly Buffer[],
  rootDer: Buffer,
): TestAuthority {
  const issuer = { name, keys };
  return {
    trustDomain,
    keys,
    name,
    der,
    pem: encodePem('CERTIFICATE', der),
    rootDer,
    rootPem: encodePem('CERTIFICATE', rootDer),
    bundle: (sequence = 1) => ({ trustDomain, sequence, refreshHintSeconds: 300, authorities: [rootDer] }),
    svid(options = {}) {
      const { uri = `spiffe://${trustDomain}/ns/default/sa/web` } = options;
      const own = options.keys ?? makeKeys(options.keyType);
      const leaf = buildCertificate(issuer, own.publicKey, { ...leafDefaults(), uris: [uri], ...options });
      return svidOf(uri, [leaf, ...above], own);
    },
    intermediate(options = {}) {
      const { subject = `${trustDomain} intermediate ${above.length + 1}` } = options;
      const own = options.keys ?? makeKeys(options.keyType);
      const made = buildCertificate(issuer, own.publicKey, { ...authorityDefaults(), ...options, subject });
      return authority(trustDomain, own, commonName(subject), made, [made, ...above], rootDer);
    },
  };
}

function svidOf(uri: string, chainDer: readonly Buffer[], keys: KeyPair): TestSvid {
  return {
    uri,
    chainDer,
    chainPem: chainDer.map((der) => encodePem('CERTIFICATE', der)).join(''),
    keyPem: pemOf(keys.privateKey),
    keys,
  };
}

const pemOf = (key: KeyObject): string => key.export({ format: 'pem', type: 'pkcs8' }).toString();

const authorityDefaults = () => ({
  notBefore: systemClock.now() - HOUR,
  notAfter: systemClock.now() + 24 * HOUR,
  ca: true,
  keyUsage: [USAGE.keyCertSign, USAGE.cRLSign],
});

const leafDefaults = () => ({
  notBefore: systemClock.now() - HOUR,
  notAfter: systemClock.now() + HOUR,
  keyUsage: [USAGE.digitalSignature],
  extendedKeyUsage: [OID.serverAuth, OID.clientAuth],
});
