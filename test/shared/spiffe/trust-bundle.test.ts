import { X509Certificate } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { BundleError, decodeBundle, encodeBundle, type TrustBundle } from '../../../shared/spiffe/trust-bundle.ts';
import { createTestAuthority } from '../../support/test-authority.ts';

const a = createTestAuthority({ trustDomain: 'a.test' });
const rsa = createTestAuthority({ trustDomain: 'a.test', keyType: 'RSA-2048' });
const ed = createTestAuthority({ trustDomain: 'a.test', keyType: 'Ed25519' });

const bundle: TrustBundle = {
  trustDomain: 'a.test',
  sequence: 7,
  refreshHintSeconds: 60,
  authorities: [a.der, rsa.der, ed.der],
};
const throughJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
const entry = { kty: 'EC', use: 'x509-svid', x5c: [a.der.toString('base64')] };
/** Another authority than `entry`, so that it shows when it is not passed over. */
const other = { ...entry, x5c: [rsa.der.toString('base64')] };
const decoded = (keys: unknown, more: object = {}) => decodeBundle('a.test', { keys, ...more });

describe('trust bundle', () => {
  it('comes back from JSON as it went in, for every kind of key', () => {
    expect(decodeBundle('a.test', throughJson(encodeBundle(bundle)))).to.deep.equal(bundle);
  });

  it('is written as X509-SVID §6.1 asks: use, one x5c, no kid, and the key that the certificate holds', () => {
    const { keys } = throughJson(encodeBundle(bundle)) as { keys: Record<string, unknown>[] };
    expect(keys).to.have.lengthOf(3);
    for (const [i, key] of keys.entries()) {
      expect(key['use']).to.equal('x509-svid');
      expect(key['x5c']).to.deep.equal([bundle.authorities[i]!.toString('base64')]);
      expect(key).not.to.have.property('kid');
      expect(key).to.include(new X509Certificate(bundle.authorities[i]!).publicKey.export({ format: 'jwk' }));
      expect(key, 'a public key only').not.to.have.property('d');
    }
  });

  it('with no keys distrusts everyone (Trust Domain and Bundle §4.1.3)', () => {
    expect(decoded([]).authorities).to.deep.equal([]);
  });

  it('has sequence 0 and looks again after 5 minutes when it does not say (Federation §4.1)', () => {
    expect(decoded([])).to.include({ sequence: 0, refreshHintSeconds: 300 });
  });

  it('ignores members that it does not know', () => {
    expect(decoded([{ ...entry, alg: 'x', more: 1 }], { other: {} }).authorities).to.have.lengthOf(1);
  });

  it('holds a repeated authority once', () => {
    expect(decoded([entry, entry]).authorities).to.have.lengthOf(1);
  });

  const passedOver: Record<string, unknown> = {
    'unknown kty': { ...other, kty: 'FOO' },
    'no kty': { use: 'x509-svid', x5c: other.x5c },
    'unknown use': { ...other, use: 'sig' },
    'use in upper case': { ...other, use: 'X509-SVID' },
    'no use': { kty: 'EC', x5c: other.x5c },
    'JWT key': { kty: 'EC', use: 'jwt-svid', kid: '1', crv: 'P-256', x: 'x', y: 'y' },
    'no x5c': { kty: 'EC', use: 'x509-svid' },
    'empty x5c': { ...other, x5c: [] },
  };
  for (const [what, key] of Object.entries(passedOver)) {
    it(`passes over an entry with ${what}, and keeps the others`, () => {
      expect(decoded([key, entry]).authorities).to.deep.equal([a.der]);
    });
  }

  it('takes up to 256 keys, and a sequence of 0', () => {
    expect(
      decoded(
        Array.from({ length: 256 }, () => entry),
        { spiffe_sequence: 0 },
      ).authorities,
    ).to.have.lengthOf(1);
  });

  it('takes the first of several x5c (X509-SVID §6.2)', () => {
    expect(decoded([{ ...entry, x5c: [...entry.x5c, 'x'] }]).authorities).to.deep.equal([a.der]);
  });

  const refused: Record<string, unknown> = {
    'not an object': 'x',
    'an array': [],
    null: null,
    'no keys': {},
    'keys that are no array': { keys: {} },
    'a key that is no object': { keys: ['x'] },
    'x5c that is no text': { keys: [{ ...entry, x5c: [1] }] },
    'x5c that is not base64': { keys: [{ ...entry, x5c: ['!!!!'] }] },
    'x5c in base64url': { keys: [{ ...entry, x5c: ['-_-_'] }] },
    'x5c with white space': { keys: [{ ...entry, x5c: [`${entry.x5c[0]}\n`] }] },
    'empty x5c text': { keys: [{ ...entry, x5c: [''] }] },
    'x5c larger than any certificate': { keys: [{ ...entry, x5c: ['A'.repeat(100_000)] }] },
    'too many keys': { keys: Array.from({ length: 257 }, () => entry) },
    'negative sequence': { keys: [], spiffe_sequence: -1 },
    'sequence as text': { keys: [], spiffe_sequence: '1' },
    'sequence beyond 2^53': { keys: [], spiffe_sequence: 2 ** 53 },
    'broken refresh hint': { keys: [], spiffe_refresh_hint: 1.5 },
  };
  for (const [what, json] of Object.entries(refused)) {
    it(`refuses ${what}`, () => {
      expect(() => decodeBundle('a.test', json)).to.throw(BundleError);
    });
  }

  it('refuses a trust domain that is no name', () => {
    expect(() => decodeBundle('A.test', { keys: [] })).to.throw(BundleError);
  });

  it('throws nothing but BundleError on any JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (key, member) => {
        for (const json of [key, { keys: key }, { keys: [key] }, { keys: [{ ...entry, x5c: member }] }]) {
          try {
            decodeBundle('a.test', json);
          } catch (error) {
            expect(error).to.be.instanceOf(BundleError);
          }
        }
      }),
    );
  });
});
