import { createPublicKey, createSecretKey, generateKeyPairSync } from 'node:crypto';
import { expect } from 'chai';
import { jwtAlgorithm, keyFits } from '../../../citadel/attest/jwt-algorithms.ts';

const rsa = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength }).publicKey;
/** Of no use to anybody honest: who has it is not asked here. */
const oddRsa = (bits: number, exponent: number[]) => {
  const n = Buffer.alloc(bits / 8, 0xff).toString('base64url');
  return createPublicKey({ key: { kty: 'RSA', n, e: Buffer.from(exponent).toString('base64url') }, format: 'jwk' });
};
const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve }).publicKey;

describe('the algorithms of tokens', () => {
  for (const name of [
    'none',
    'None',
    '',
    'HS256',
    'HS384',
    'HS512',
    'es256',
    'RS256 ',
    'ES256K',
    'EdDSA',
    'RSA1_5',
    null,
    256,
    ['RS256'],
    { toString: () => 'RS256' },
  ]) {
    it(`do not include ${JSON.stringify(name)}`, () => {
      expect(jwtAlgorithm(name)).to.equal(undefined);
    });
  }

  const P256 = ec('P-256');
  const rsa2048 = rsa(2048);
  for (const [what, algorithm, key, fits] of [
    ['RSA of 2048 bits and RS256', 'RS256', rsa2048, true],
    ['RSA of 2048 bits and PS512', 'PS512', rsa2048, true],
    ['RSA of 1024 bits and RS256', 'RS256', rsa(1024), false],
    ['RSA of 8192 bits and RS256', 'RS256', oddRsa(8192, [1, 0, 1]), true],
    ['RSA of 8200 bits, which costs too much to use', 'RS256', oddRsa(8200, [1, 0, 1]), false],
    ['RSA with the exponent 3', 'RS256', oddRsa(2048, [3]), true],
    ['RSA with the exponent 1, under which everybody can sign', 'RS256', oddRsa(2048, [1]), false],
    ['RSA with an even exponent', 'RS256', oddRsa(2048, [1, 0, 0]), false],
    ['RSA with an exponent of 33 bits, which costs too much to use', 'PS256', oddRsa(2048, [1, 0, 0, 0, 1]), false],
    ['RSA and ES256', 'ES256', rsa2048, false],
    ['P-256 and ES256', 'ES256', P256, true],
    ['P-256 and ES384', 'ES384', P256, false],
    ['P-384 and ES256', 'ES256', ec('P-384'), false],
    ['secp256k1 and ES256', 'ES256', ec('secp256k1'), false],
    ['P-256 and RS256', 'RS256', P256, false],
    ['Ed25519 and ES256', 'ES256', generateKeyPairSync('ed25519').publicKey, false],
    ['a shared secret and RS256', 'RS256', createSecretKey(Buffer.alloc(32)), false],
    ['a private key and ES256', 'ES256', generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, false],
  ] as const) {
    it(`${fits ? 'match' : 'do not match'}: ${what}`, () => {
      expect(keyFits(jwtAlgorithm(algorithm)!, key)).to.equal(fits);
    });
  }
});
