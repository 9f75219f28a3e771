import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { expect } from 'chai';
import { DerError } from '../../../shared/x509/der-reader.ts';
import { bits, integer, nil, oid, seq } from '../../../shared/x509/der-writer.ts';
import { isKeyAccepted, type KeyKind, keyKindOf } from '../../../shared/x509/key-kind.ts';
import { OID } from '../../../shared/x509/oids.ts';
import { publicKeyOf } from '../../../shared/x509/public-key.ts';
import { makeKeys, spkiOf } from '../../support/test-certificate.ts';

const rsa = (modulus: Uint8Array, exponent: number | bigint): Buffer =>
  seq(seq(oid(OID.rsaEncryption), nil()), bits(seq(integer(modulus), integer(exponent))));
/** An odd number of exactly so many bits. */
const modulusOf = (length: number): Buffer => {
  const bytes = Buffer.alloc(Math.ceil(length / 8), 0xff);
  bytes[0]! >>= bytes.length * 8 - length;
  return bytes;
};
const kindOf = (key: KeyObject): KeyKind => keyKindOf(spkiOf(key));

describe('kind of a key', () => {
  const kinds: readonly [Parameters<typeof makeKeys>[0], KeyKind, boolean][] = [
    ['P-256', { kind: 'P-256', bits: 256 }, true],
    ['P-384', { kind: 'P-384', bits: 384 }, true],
    ['P-521', { kind: 'P-521', bits: 521 }, true],
    ['Ed25519', { kind: 'Ed25519', bits: 256 }, true],
    ['RSA-2048', { kind: 'RSA', bits: 2048 }, true],
    ['RSA-1024', { kind: 'RSA', bits: 1024 }, false],
    ['secp256k1', { kind: 'unsupported', bits: 0 }, false],
  ];
  for (const [type, kind, accepted] of kinds) {
    it(`of ${type} is told from its bytes and is ${accepted ? '' : 'not '}accepted`, () => {
      const key = makeKeys(type).publicKey;
      expect(kindOf(key)).to.deep.equal(kind);
      expect(isKeyAccepted(kind)).to.equal(accepted);
      expect(publicKeyOf(spkiOf(key))?.equals(key)).to.equal(accepted ? true : undefined);
    });
  }

  it('of others is unsupported', () => {
    for (const make of [() => generateKeyPairSync('ed448'), () => generateKeyPairSync('x25519')]) {
      expect(kindOf(make().publicKey).kind).to.equal('unsupported');
    }
    expect(kindOf(generateKeyPairSync('dsa', { modulusLength: 2048 }).publicKey).kind).to.equal('unsupported');
    expect(kindOf(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey).kind).to.equal('unsupported');
  });

  it('counts the bits of an RSA modulus exactly, and takes 2048 to 8192', () => {
    for (const [length, accepted] of [
      [2047, false],
      [2048, true],
      [2049, true],
      [8192, true],
      [8193, false],
    ] as const) {
      const kind = keyKindOf(rsa(modulusOf(length), 65537));
      expect(kind).to.deep.equal({ kind: 'RSA', bits: length });
      expect(isKeyAccepted(kind), `${length}`).to.equal(accepted);
    }
  });

  it('is unsupported for an RSA exponent that is 1, even or dear, and for an even modulus', () => {
    for (const exponent of [1, 4, 2n ** 32n + 1n])
      expect(keyKindOf(rsa(modulusOf(2048), exponent)).kind).to.equal('unsupported');
    const even = modulusOf(2048);
    even[even.length - 1] = 0xfe;
    expect(keyKindOf(rsa(even, 65537)).kind).to.equal('unsupported');
    for (const exponent of [3, 2n ** 32n - 1n]) expect(keyKindOf(rsa(modulusOf(2048), exponent)).kind).to.equal('RSA');
  });

  it('is unsupported for compressed points and explicit curves, which no two readers take alike', () => {
    const compressed = (spki: Buffer): Buffer => {
      const point = spki.subarray(-65);
      return seq(
        seq(oid(OID.ecPublicKey), oid(OID.p256)),
        bits(Buffer.concat([Buffer.from([2 + (point[64]! & 1)]), point.subarray(1, 33)])),
      );
    };
    const spki = compressed(spkiOf(makeKeys().publicKey));
    expect(() => createPublicKey({ key: spki, format: 'der', type: 'spki' }), 'OpenSSL takes it').not.to.throw();
    expect(keyKindOf(spki).kind).to.equal('unsupported');
    const explicit = generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' }).publicKey;
    expect(kindOf(explicit).kind).to.equal('unsupported');
  });

  it('is refused when parameters are missing or in excess', () => {
    const point = spkiOf(makeKeys().publicKey).subarray(-65);
    expect(keyKindOf(seq(seq(oid(OID.ecPublicKey)), bits(point))).kind).to.equal('unsupported');
    expect(keyKindOf(seq(seq(oid(OID.ed25519), nil()), bits(point.subarray(1, 33)))).kind).to.equal('unsupported');
    expect(keyKindOf(seq(seq(oid(OID.rsaEncryption)), bits(seq(integer(7), integer(3))))).kind).to.equal('unsupported');
  });

  it('cannot be told of what is no key', () => {
    for (const der of [Buffer.alloc(0), seq(), Buffer.concat([spkiOf(makeKeys().publicKey), Buffer.from([0])])]) {
      expect(() => keyKindOf(der)).to.throw(DerError);
    }
    const rsaKey = (key: Buffer) => seq(seq(oid(OID.rsaEncryption), nil()), bits(key));
    expect(keyKindOf(rsaKey(seq(integer(7), integer(3)))).kind).to.equal('RSA');
    for (const key of [
      Buffer.from('x'),
      seq(integer(7), integer(3), nil()),
      Buffer.concat([seq(integer(7), integer(3)), nil()]),
    ]) {
      expect(() => keyKindOf(rsaKey(key))).to.throw(DerError);
    }
    const point = bits(spkiOf(makeKeys().publicKey).subarray(-65));
    const curve = seq(oid(OID.ecPublicKey), oid(OID.p256));
    expect(keyKindOf(seq(curve, point)).kind).to.equal('P-256');
    expect(() => keyKindOf(seq(curve, point, nil()))).to.throw(DerError);
    expect(() => keyKindOf(seq(seq(oid(OID.ecPublicKey), oid(OID.p256), nil()), point))).to.throw(DerError);
  });
});

describe('public key', () => {
  it('is none for a point off its curve', () => {
    const spki = Buffer.from(spkiOf(makeKeys().publicKey));
    spki[spki.length - 1]! ^= 1;
    expect(keyKindOf(spki).kind).to.equal('P-256');
    expect(publicKeyOf(spki)).to.equal(undefined);
  });

  it('is none for bytes that are no key', () => {
    expect(publicKeyOf(Buffer.from('x'))).to.equal(undefined);
  });
});
