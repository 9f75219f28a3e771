import 'reflect-metadata';
import { createHash, sign } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { expect } from 'chai';
import { parseCsr } from '../../../shared/x509/csr.ts';
import { buildCsr } from '../../../shared/x509/csr-builder.ts';
import { DerError } from '../../../shared/x509/der-reader.ts';
import {
  bits,
  bool,
  context,
  contextPrimitive,
  extension,
  integer,
  namedBits,
  nil,
  oid,
  seq,
  set,
  utf8,
} from '../../../shared/x509/der-writer.ts';
import { OID } from '../../../shared/x509/oids.ts';
import { commonName, makeKeys, spkiOf, type TestKeyType } from '../../support/test-certificate.ts';
import { opensslCsrOpinion } from '../../support/x509-oracles.ts';

const keys = makeKeys();
const spki = spkiOf(keys.publicKey);
const ID = 'spiffe://a.test/ns/shop/sa/web';
const algorithm = seq(oid(OID.ecdsaWithSha256));
const uri = (text: string): Buffer => contextPrimitive(6, Buffer.from(text, 'latin1'));
const names = (...list: Buffer[]): Buffer => extension(OID.subjectAltName, true, seq(...list));
const request = (...extensions: Buffer[]): Buffer => seq(oid(OID.extensionRequest), set(seq(...extensions)));

/** A signed request of the given attributes or other parts. */
function csr(attributes: readonly Buffer[], parts: { version?: Buffer; subject?: Buffer; spki?: Buffer } = {}): Buffer {
  const { version = integer(0), subject = seq() } = parts;
  const info = seq(version, subject, parts.spki ?? spki, context(0, ...attributes));
  return seq(info, algorithm, bits(sign('sha256', info, keys.privateKey)));
}
const asking = (...extensions: Buffer[]) => parseCsr(csr([request(...extensions)]));

describe('CSR', () => {
  for (const type of ['P-256', 'P-384', 'Ed25519', 'RSA-2048'] satisfies TestKeyType[]) {
    it(`built for ${type} is read back, and OpenSSL and @peculiar/x509 agree`, async () => {
      const pair = makeKeys(type);
      const der = buildCsr(pair, ID);
      const parsed = parseCsr(der);
      expect(parsed).to.deep.include({
        uriNames: [ID],
        otherNames: 0,
        caRequested: false,
        duplicateExtensions: [],
        unknownCriticalExtensions: [],
      });
      expect(parsed.isSelfSigned()).to.equal(true);
      expect(parsed.spki.equals(spkiOf(pair.publicKey))).to.equal(true);
      expect(parsed.keyFingerprint).to.equal(createHash('sha256').update(parsed.spki).digest('hex'));
      expect(await opensslCsrOpinion(der)).to.include({ accepts: true });
      expect(await new x509.Pkcs10CertificateRequest(Uint8Array.from(der)).verify()).to.equal(true);
    });
  }

  it('may ask for nothing', async () => {
    const der = buildCsr(keys);
    expect(parseCsr(der).uriNames).to.deep.equal([]);
    expect(parseCsr(der).isSelfSigned()).to.equal(true);
    expect(await opensslCsrOpinion(der)).to.include({ accepts: true });
  });

  it('is not built for a kind of key that is not accepted', () => {
    expect(() => buildCsr(makeKeys('secp256k1'))).to.throw(TypeError);
  });

  it('tells every URI name and counts all other names', () => {
    const others = [
      contextPrimitive(2, Buffer.from('d')),
      contextPrimitive(7, Buffer.alloc(4)),
      contextPrimitive(1, Buffer.from('m')),
    ];
    expect(asking(names(uri('a:1'), ...others, uri('b:2')))).to.deep.include({
      uriNames: ['a:1', 'b:2'],
      otherNames: 3,
    });
  });

  it('tells when it asks to be an authority, in either way', () => {
    const basic = (...content: Buffer[]) => extension(OID.basicConstraints, true, seq(...content));
    expect(asking(basic(bool(true))).caRequested).to.equal(true);
    expect(asking(basic()).caRequested).to.equal(false);
    expect(asking(extension(OID.keyUsage, true, namedBits(0, 5))).caRequested).to.equal(true);
    expect(asking(extension(OID.keyUsage, true, namedBits(0))).caRequested).to.equal(false);
  });

  it('tells extensions that come twice, and the attribute when it comes twice', () => {
    expect(asking(names(uri('a:1')), names(uri('b:2'))).duplicateExtensions).to.deep.equal([OID.subjectAltName]);
    expect(asking(...[1, 2, 3].map(() => extension('1.2.3', false, nil()))).duplicateExtensions).to.deep.equal([
      '1.2.3',
    ]);
    const twice = parseCsr(csr([request(names(uri('a:1'))), request(names(uri('b:2')))]));
    expect(twice.duplicateExtensions).to.deep.equal([OID.extensionRequest]);
    const old = seq(oid(OID.microsoftExtensionRequest), set(seq(names(uri('b:2')))));
    expect(parseCsr(csr([request(names(uri('a:1'))), old])).duplicateExtensions).to.deep.equal([
      OID.microsoftExtensionRequest,
    ]);
    expect(parseCsr(csr([old])).uriNames, 'alone it counts').to.deep.equal(['b:2']);
  });

  it('tells unknown critical extensions', () => {
    expect(
      asking(extension('1.2.3', true, nil()), extension('1.2.4', false, nil())).unknownCriticalExtensions,
    ).to.deep.equal(['1.2.3']);
  });

  it('may have up to 32 attributes', () => {
    const attributes = Array.from({ length: 32 }, (_, i) => seq(oid(`1.2.3.${i}`), set(nil())));
    expect(parseCsr(csr(attributes)).uriNames).to.deep.equal([]);
  });

  it('may have a subject and other attributes, which are passed over', () => {
    const password = seq(oid('1.2.840.113549.1.9.7'), set(utf8('x')));
    const parsed = parseCsr(csr([password, request(names(uri(ID)))], { subject: commonName('web') }));
    expect(parsed.uriNames).to.deep.equal([ID]);
    expect(parsed.isSelfSigned()).to.equal(true);
  });
});

describe('proof of possession', () => {
  const good = buildCsr(keys, ID);

  it('fails for a signature with one bit turned over, as OpenSSL says too', async () => {
    const der = Buffer.from(good);
    der[der.length - 1]! ^= 1;
    expect(parseCsr(der).isSelfSigned()).to.equal(false);
    expect((await opensslCsrOpinion(der)).accepts).to.equal(false);
  });

  it('fails when the name was changed after signing', () => {
    const der = Buffer.from(good);
    der[der.indexOf('shop')] = 'x'.charCodeAt(0);
    expect(parseCsr(der).uriNames).to.deep.equal(['spiffe://a.test/ns/xhop/sa/web']);
    expect(parseCsr(der).isSelfSigned()).to.equal(false);
  });

  it('fails for the key of someone else', () => {
    const other = makeKeys();
    const info = seq(integer(0), seq(), spkiOf(other.publicKey), context(0));
    const der = seq(info, algorithm, bits(sign('sha256', info, keys.privateKey)));
    expect(parseCsr(der).isSelfSigned()).to.equal(false);
  });

  it('fails for a key off its curve, a weak key, and an algorithm that is not of the key', () => {
    const off = Buffer.from(spki);
    off[off.length - 1]! ^= 1;
    expect(parseCsr(csr([], { spki: off })).isSelfSigned()).to.equal(false);
    expect(parseCsr(buildCsr(makeKeys('RSA-1024'))).isSelfSigned()).to.equal(false);
    expect(parseCsr(csr([], { spki: spkiOf(makeKeys('Ed25519').publicKey) })).isSelfSigned()).to.equal(false);
  });

  it('fails for SHA-1, though the signature is right', () => {
    const info = seq(integer(0), seq(), spki, context(0));
    const der = seq(info, seq(oid('1.2.840.10045.4.1')), bits(sign('sha1', info, keys.privateKey)));
    expect(parseCsr(der).isSelfSigned()).to.equal(false);
  });
});

describe('CSR that is not well formed', () => {
  const good = buildCsr(keys, ID);
  const refused: Record<string, Buffer> = {
    'no bytes': Buffer.alloc(0),
    'bytes behind': Buffer.concat([good, nil()]),
    'version 2': csr([], { version: integer(1) }),
    'a subject that is no name': csr([], { subject: seq(nil()) }),
    'a key that is no key': csr([], { spki: seq() }),
    'no attributes at all': seq(seq(integer(0), seq(), spki), algorithm, bits(Buffer.from('x'))),
    'something behind the attributes': seq(
      seq(integer(0), seq(), spki, context(0), nil()),
      algorithm,
      bits(Buffer.from('x')),
    ),
    'a fourth part': seq(good.subarray(3), nil()),
    'an attribute with a third part': csr([seq(oid('1.2.3'), set(nil()), nil())]),
    'an attribute that is none': csr([nil()]),
    'an empty request for extensions': csr([seq(oid(OID.extensionRequest), set())]),
    'a request without extensions': csr([request()]),
    'two requests in one attribute': csr([
      seq(oid(OID.extensionRequest), set(seq(names(uri('a:1'))), seq(names(uri('b:2'))))),
    ]),
    'too many attributes': csr(Array.from({ length: 33 }, (_, i) => seq(oid(`1.2.3.${i}`), set(nil())))),
    'a name that is not ASCII': csr([request(names(uri('spiffe://a.test/ä')))]),
    'a certificate': seq(seq(context(0, integer(2)), integer(1)), algorithm, bits(Buffer.from('x'))),
  };
  for (const [what, der] of Object.entries(refused)) {
    it(`is refused: ${what}`, () => {
      expect(() => parseCsr(der)).to.throw(DerError);
    });
  }

  it('is refused wherever it is cut off', () => {
    for (let length = 0; length < good.length; length += 1) {
      expect(() => parseCsr(good.subarray(0, length)), `${length}`).to.throw(DerError);
    }
  });
});
