import { expect } from 'chai';
import { BundleError, type TrustBundle } from '../../../shared/spiffe/trust-bundle.ts';
import { extension, nil } from '../../../shared/x509/der-writer.ts';
import { OID } from '../../../shared/x509/oids.ts';
import { anchorsOf } from '../../../shared/x509/trust-anchors.ts';
import { createTestAuthority, type TestAuthorityOptions } from '../../support/test-authority.ts';
import { USAGE } from '../../support/test-certificate.ts';

const a = createTestAuthority({ trustDomain: 'a.test' });
const b = createTestAuthority({ trustDomain: 'b.test' });
const bundle = (...authorities: Buffer[]): TrustBundle => ({ ...a.bundle(), authorities });

describe('trust anchors', () => {
  it('are kept apart by trust domain', () => {
    const anchors = anchorsOf([a.bundle(), b.bundle()]);
    expect(anchors.trustDomains).to.deep.equal(['a.test', 'b.test']);
    expect(anchors.of('a.test')?.map(({ certificate }) => certificate.der)).to.deep.equal([a.der]);
    expect(anchors.of('b.test')?.map(({ certificate }) => certificate.der)).to.deep.equal([b.der]);
    expect(anchors.of('c.test')).to.equal(undefined);
    expect(anchors.of('constructor'), 'no name of JavaScript').to.equal(undefined);
  });

  it('hold the key of their certificate', () => {
    const [anchor] = anchorsOf([a.bundle()]).of('a.test') ?? [];
    expect(anchor?.key.equals(a.keys.publicKey)).to.equal(true);
  });

  it('are none, not unknown, for an empty bundle', () => {
    expect(anchorsOf([bundle()]).of('a.test')).to.deep.equal([]);
  });

  it('are never merged from two bundles of one trust domain', () => {
    expect(() => anchorsOf([a.bundle(), a.bundle()])).to.throw(BundleError);
  });

  it('are refused when there are too many to try', () => {
    expect(anchorsOf([bundle(...Array.from({ length: 64 }, () => a.der))]).of('a.test')).to.have.lengthOf(64);
    expect(() => anchorsOf([bundle(...Array.from({ length: 65 }, () => a.der))])).to.throw(BundleError);
  });

  const unfit: Record<string, Partial<TestAuthorityOptions>> = {
    'cA false': { ca: false },
    'no basicConstraints': { withoutBasicConstraints: true },
    'no key usage': { keyUsage: [] },
    'no keyCertSign': { keyUsage: [USAGE.cRLSign] },
    'key usage that is not critical': { keyUsageCritical: false },
    'servers only': { extendedKeyUsage: [OID.serverAuth] },
    'an unknown critical extension': { extensions: [extension('1.3.6.1.4.1.99999.1', true, nil())] },
    'RSA-1024': { keyType: 'RSA-1024' },
    'another curve': { keyType: 'secp256k1' },
  };
  for (const [what, options] of Object.entries(unfit)) {
    it(`are refused as a whole with one authority that has ${what}`, () => {
      const bad = createTestAuthority({ trustDomain: 'a.test', ...options });
      expect(() => anchorsOf([bundle(a.der, bad.der)])).to.throw(BundleError);
    });
  }

  it('are refused as a whole with one authority that is a leaf or no certificate', () => {
    expect(() => anchorsOf([bundle(a.der, a.svid().chainDer[0]!)])).to.throw(BundleError);
    expect(() => anchorsOf([bundle(a.der, Buffer.from('x'))])).to.throw(BundleError);
    expect(() => anchorsOf([bundle(Buffer.concat([a.der, a.der]))])).to.throw(BundleError);
  });
});
