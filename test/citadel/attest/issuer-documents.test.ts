import { generateKeyPairSync } from 'node:crypto';
import { expect } from 'chai';
import { IssuerDocumentError, readDiscovery, readKeySet } from '../../../citadel/attest/issuer-documents.ts';
import { makeSigningKey } from '../../support/tokens.ts';

const bytes = (document: unknown) => Buffer.from(JSON.stringify(document));
const read = (...keys: unknown[]) => readKeySet(bytes({ keys })).keys;

describe('a key set', () => {
  const good = makeSigningKey('ES256', 'good').jwk;

  it('gives the keys that can verify, and passes over the others', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const leaked = { ...privateKey.export({ format: 'jwk' }), kid: 'leaked' };
    const keys = read(
      good,
      leaked,
      { ...good, kid: undefined },
      { ...good, kid: 'encryption', use: 'enc' },
      { ...good, kid: 'signing-only', key_ops: ['sign'] },
      { ...good, kid: 'off-curve', x: good['y'] },
      { kty: 'oct', k: 'c2VjcmV0', kid: 'shared-secret' },
      { kty: 'OKP', crv: 'Ed25519', x: 'AAAA', kid: 'unknown-kind' },
      'not a key',
    );
    expect([...keys.keys()]).to.deep.equal(['good', 'leaked']);
    expect([...keys.values()].map(({ key }) => key.type)).to.deep.equal(['public', 'public']);
  });

  for (const [fault, document] of [
    ['two keys with one kid', { keys: [good, makeSigningKey('ES256', 'good').jwk] }],
    ['no list of keys', { keys: {} }],
    ['no usable key', { keys: [] }],
    ['more keys than anybody needs', { keys: Array.from({ length: 65 }, (_, at) => ({ ...good, kid: `${at}` })) }],
    ['a list instead of an object', [good]],
  ] as const) {
    it(`is refused with ${fault}`, () => {
      expect(() => readKeySet(bytes(document))).to.throw(IssuerDocumentError);
    });
  }

  it('is unsafe only when it says so', () => {
    expect(readKeySet(bytes({ keys: [good], sallyport_unsafe_dev_issuer: true })).unsafe).to.equal(true);
    expect(readKeySet(bytes({ keys: [good], sallyport_unsafe_dev_issuer: 'no' })).unsafe).to.equal(false);
  });
});

describe('a discovery document', () => {
  const issuer = 'https://issuer.test/path';

  it('tells where the keys are', () => {
    expect(readDiscovery(bytes({ issuer, jwks_uri: 'https://keys.test/k' }), issuer)).to.equal('https://keys.test/k');
  });

  it('is refused when it belongs to another issuer, or names no place', () => {
    expect(() => readDiscovery(bytes({ issuer: `${issuer}/`, jwks_uri: 'https://k.test' }), issuer)).to.throw(
      /another issuer/,
    );
    expect(() => readDiscovery(bytes({ issuer, jwks_uri: 'keys' }), issuer)).to.throw(/jwks_uri/);
  });
});
