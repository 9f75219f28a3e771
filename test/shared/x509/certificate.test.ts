import { createHash, X509Certificate } from 'node:crypto';
import { expect } from 'chai';
import { readCertificate } from '../../../shared/x509/certificate.ts';
import { DerError, DerReader, TAG } from '../../../shared/x509/der-reader.ts';
import {
  bits,
  bool,
  context,
  contextPrimitive,
  extension,
  integer,
  namedBits,
  nil,
  octets,
  oid,
  seq,
  set,
  utcOrGeneralTime,
  utf8,
} from '../../../shared/x509/der-writer.ts';
import { NAME_FORM } from '../../../shared/x509/general-names.ts';
import { OID } from '../../../shared/x509/oids.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { commonName, makeKeys, spkiOf } from '../../support/test-certificate.ts';

const keys = makeKeys();
const spki = spkiOf(keys.publicKey);
const algorithm = seq(oid(OID.ecdsaWithSha256));
const time = (year: number): Buffer => utcOrGeneralTime(Date.UTC(year, 0, 1));
const raw = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

interface Parts {
  readonly version: Buffer;
  readonly serial: Buffer;
  readonly inner: Buffer;
  readonly issuer: Buffer;
  readonly validity: Buffer;
  readonly subject: Buffer;
  readonly spki: Buffer;
  readonly tail: Buffer;
  readonly outer: Buffer;
  readonly signature: Buffer;
}

/** A certificate of the given parts; the signature is none, since reading does not look at it. */
function certificate(parts: Partial<Parts> = {}): Buffer {
  const {
    version = context(0, integer(2)),
    serial = integer(5),
    inner = algorithm,
    issuer = commonName('i'),
    outer = algorithm,
  } = parts;
  const {
    validity = seq(time(2024), time(2051)),
    subject = seq(),
    tail = Buffer.alloc(0),
    signature = bits(Buffer.from('s')),
  } = parts;
  return seq(seq(version, serial, inner, issuer, validity, subject, parts.spki ?? spki, tail), outer, signature);
}
const withExtensions = (...list: Buffer[]): Buffer => certificate({ tail: context(3, seq(...list)) });
const withValue = (id: string, value: Buffer): Buffer => withExtensions(extension(id, true, value));

describe('certificate', () => {
  it('is read as Node reads it', () => {
    const authority = createTestAuthority({ trustDomain: 'a.test' });
    for (const der of [authority.der, authority.svid({ uri: 'spiffe://a.test/x' }).chainDer[0]!]) {
      const theirs = new X509Certificate(der);
      const ours = readCertificate(der);
      expect(ours.serial).to.equal(theirs.serialNumber.toLowerCase());
      expect(ours.notBefore).to.equal(theirs.validFromDate.getTime());
      expect(ours.notAfter).to.equal(theirs.validToDate.getTime());
      expect(ours.isCa).to.equal(theirs.ca);
      expect(ours.fingerprint).to.equal(theirs.fingerprint256.replaceAll(':', '').toLowerCase());
      expect(ours.spki.equals(spkiOf(theirs.publicKey))).to.equal(true);
      expect(ours.extendedKeyUsage).to.deep.equal(theirs.keyUsage);
    }
  });

  it('tells what matters for a path', () => {
    const middle = createTestAuthority({ trustDomain: 'a.test' }).intermediate({
      pathLength: 3,
      nameConstraints: { permitted: ['a.test'] },
    });
    expect(readCertificate(middle.der)).to.deep.include({
      isCa: true,
      pathLength: 3,
      keyUsage: { critical: true, digitalSignature: false, keyCertSign: true, cRLSign: true },
      uriNameConstraints: { permitted: ['a.test'], excluded: [], otherForms: [] },
      subject: middle.name,
      subjectEmpty: false,
      unknownCriticalExtensions: [],
    });
  });

  it('counts names that are no URI by their form', () => {
    const names = [
      contextPrimitive(2, Buffer.from('d')),
      contextPrimitive(6, Buffer.from('u:x')),
      contextPrimitive(1, Buffer.from('m')),
    ];
    expect(readCertificate(withValue(OID.subjectAltName, seq(...names, context(4, commonName('n')))))).to.deep.include({
      uriNames: ['u:x'],
      otherNames: 3,
      otherNameForms: [NAME_FORM.dns, NAME_FORM.email, NAME_FORM.directory],
    });
  });

  it('of version 1 has no extensions and is no authority', () => {
    expect(readCertificate(certificate({ version: Buffer.alloc(0) }))).to.include({ isCa: false, otherNames: 0 });
  });

  it('may have unique identifiers, which are passed over', () => {
    const ids = Buffer.concat([contextPrimitive(1, raw('00 01')), contextPrimitive(2, raw('00 01'))]);
    for (const version of [1, 2]) {
      expect(readCertificate(certificate({ version: context(0, integer(version)), tail: ids })).serial).to.equal('05');
    }
  });

  it('tells unknown critical extensions, and no others', () => {
    const der = withExtensions(extension('1.2.3.4', true, nil()), extension('1.2.3.5', false, nil()));
    expect(readCertificate(der).unknownCriticalExtensions).to.deep.equal(['1.2.3.4']);
  });

  it('has a serial of up to 20 octets, without its sign octet', () => {
    expect(readCertificate(certificate({ serial: integer(Buffer.alloc(19, 0xff)) })).serial).to.equal('ff'.repeat(19));
    expect(readCertificate(certificate({ serial: integer(Buffer.alloc(20, 0x7f)) })).serial).to.equal('7f'.repeat(20));
  });

  it('has the SHA-256 of its bytes as fingerprint', () => {
    const der = certificate();
    expect(readCertificate(der).fingerprint).to.equal(createHash('sha256').update(der).digest('hex'));
  });
});

const threeParts = seq(oid(OID.sha256WithRsa), nil(), nil());
/** One more element inside of the outer SEQUENCE. */
const withFourth = (der: Buffer): Buffer => seq(new DerReader(der).content(TAG.sequence), nil());
const uriConstraint = seq(context(0, seq(contextPrimitive(6, Buffer.from('a')))));
const explicitFalse = seq(oid('1.2.3'), bool(false), octets(nil()));
const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));

describe('certificate that is not well formed', () => {
  const refused: Record<string, Buffer> = {
    'no bytes': Buffer.alloc(0),
    'bytes behind': Buffer.concat([certificate(), nil()]),
    'a fourth part': withFourth(certificate()),
    'an algorithm with a third part': certificate({ inner: threeParts, outer: threeParts }),
    'version 1 written out': certificate({ version: context(0, integer(0)) }),
    'version 4': certificate({ version: context(0, integer(3)) }),
    'two versions': certificate({ version: context(0, integer(2), integer(2)) }),
    'extensions in version 2': certificate({
      version: context(0, integer(1)),
      tail: context(3, seq(extension('1.2.3', false, nil()))),
    }),
    'extensions in version 1': certificate({
      version: Buffer.alloc(0),
      tail: context(3, seq(extension('1.2.3', false, nil()))),
    }),
    'serial 0': certificate({ serial: integer(0) }),
    'a negative serial': certificate({ serial: raw('02 01 80') }),
    'a serial of 21 octets': certificate({ serial: integer(Buffer.alloc(20, 0xff)) }),
    'a serial of 20 octets and one for the sign': certificate({
      serial: integer(Buffer.from(`80${'00'.repeat(19)}`, 'hex')),
    }),
    'an empty issuer': certificate({ issuer: seq() }),
    'an issuer with an empty part': certificate({ issuer: seq(set()) }),
    'an issuer that is no name': certificate({ issuer: seq(nil()) }),
    'an issuer with a third value': certificate({ issuer: seq(set(seq(oid(OID.commonName), utf8('a'), utf8('b')))) }),
    'another algorithm inside': certificate({ inner: seq(oid(OID.ecdsaWithSha384)) }),
    'parameters outside only': certificate({ outer: seq(oid(OID.ecdsaWithSha256), nil()) }),
    'a third date': certificate({ validity: seq(time(2024), time(2025), time(2026)) }),
    'one date': certificate({ validity: seq(time(2024)) }),
    'a key that is no key': certificate({ spki: seq(nil()) }),
    'something behind the key': certificate({ spki: seq(algorithm, bits(nil()), nil()) }),
    'a signature with unused bits': certificate({ signature: bits(Buffer.from([0x80]), 7) }),
    'unique identifiers in version 1': certificate({
      version: Buffer.alloc(0),
      tail: contextPrimitive(1, raw('00 01')),
    }),
    'two lists of extensions': certificate({ tail: context(3, seq(extension('1.2.3', false, nil())), seq()) }),
    'something behind the extensions': certificate({
      tail: Buffer.concat([context(3, seq(extension('1.2.3', false, nil()))), nil()]),
    }),
    'no extension in the list': withExtensions(),
    'an extension twice': withExtensions(extension('1.2.3', false, nil()), extension('1.2.3', false, nil())),
    'critical written out as false': withExtensions(explicitFalse),
    'an extension with a fourth part': withExtensions(seq(oid('1.2.3'), bool(true), octets(nil()), nil())),
    'too many extensions': withExtensions(...many(65, (i) => extension(`1.2.3.${i}`, false, nil()))),
    'cA written out as false': withValue(OID.basicConstraints, seq(bool(false))),
    'cA as 01': withValue(OID.basicConstraints, seq(raw('01 01 01'))),
    'a path length without cA': withValue(OID.basicConstraints, seq(integer(1))),
    'a negative path length': withValue(OID.basicConstraints, seq(bool(true), raw('02 01 ff'))),
    'a third value in basicConstraints': withValue(OID.basicConstraints, seq(bool(true), integer(1), nil())),
    'something behind the name constraints': withValue(OID.nameConstraints, Buffer.concat([uriConstraint, nil()])),
    'something behind basicConstraints': withValue(OID.basicConstraints, Buffer.concat([seq(), nil()])),
    'a key usage without bits': withValue(OID.keyUsage, bits(Buffer.alloc(0))),
    'a key usage with a trailing zero bit': withValue(OID.keyUsage, raw('03 02 06 80')),
    'something behind the key usage': withValue(OID.keyUsage, Buffer.concat([namedBits(0), nil()])),
    'an empty extended key usage': withValue(OID.extendedKeyUsage, seq()),
    'no alternative name': withValue(OID.subjectAltName, seq()),
    'an alternative name of no form': withValue(OID.subjectAltName, seq(contextPrimitive(9, nil()))),
    'an alternative name with a universal tag': withValue(OID.subjectAltName, seq(utf8('a'))),
    'a URI written as constructed': withValue(OID.subjectAltName, seq(context(6, Buffer.from('a')))),
    'a URI that is not ASCII': withValue(OID.subjectAltName, seq(contextPrimitive(6, raw('e4')))),
    'something behind the names': withValue(
      OID.subjectAltName,
      Buffer.concat([seq(contextPrimitive(6, raw('41'))), nil()]),
    ),
    'too many names': withValue(OID.subjectAltName, seq(...many(257, () => contextPrimitive(2, raw('41'))))),
    'a key identifier that is no octet string': withValue(OID.subjectKeyIdentifier, nil()),
    'empty name constraints': withValue(OID.nameConstraints, seq()),
    'an indefinite length': Buffer.concat([raw('30 80'), certificate().subarray(4), raw('00 00')]),
    'more bytes than any certificate': Buffer.concat([raw('30 83 01 11 70'), Buffer.alloc(70_000)]),
  };
  for (const [what, der] of Object.entries(refused)) {
    it(`is refused: ${what}`, () => {
      expect(() => readCertificate(der)).to.throw(DerError);
    });
  }

  it('is not the only kind: the parts of these tests are good by themselves', () => {
    expect(readCertificate(withExtensions(extension('1.2.3', false, nil()))).serial).to.equal('05');
    expect(readCertificate(withExtensions(...many(64, (i) => extension(`1.2.3.${i}`, false, nil())))).serial).to.equal(
      '05',
    );
    expect(
      readCertificate(withValue(OID.subjectAltName, seq(...many(256, () => contextPrimitive(2, raw('41'))))))
        .otherNames,
    ).to.equal(256);
    expect(readCertificate(withValue(OID.basicConstraints, seq(bool(true), integer(0)))).pathLength).to.equal(0);
    expect(readCertificate(withValue(OID.nameConstraints, uriConstraint)).uriNameConstraints?.permitted).to.deep.equal([
      'a',
    ]);
  });

  it('is refused wherever it is cut off', () => {
    const { der } = createTestAuthority({ trustDomain: 'a.test' });
    for (let length = 0; length < der.length; length += 1) {
      expect(() => readCertificate(der.subarray(0, length)), `${length}`).to.throw(DerError);
    }
  });
});
