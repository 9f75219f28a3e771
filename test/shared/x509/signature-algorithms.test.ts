import { constants, sign } from 'node:crypto';
import { expect } from 'chai';
import { context, integer, nil, oid, seq } from '../../../shared/x509/der-writer.ts';
import { OID } from '../../../shared/x509/oids.ts';
import { isSignedBy, schemeOf } from '../../../shared/x509/signature-algorithms.ts';
import { makeKeys } from '../../support/test-certificate.ts';

const scheme = (id: string, parameters?: Buffer) => schemeOf({ oid: id, parameters });
const hash = (id: string) => seq(oid(id), nil());
const pss = (digest: string, mask: string, salt: number, ...more: Buffer[]) =>
  scheme(
    OID.rsaPss,
    seq(context(0, hash(digest)), context(1, seq(oid(OID.mgf1), hash(mask))), context(2, integer(salt)), ...more),
  );

describe('signature algorithms', () => {
  it('are ECDSA, RSA and RSA-PSS with SHA-2, and Ed25519', () => {
    expect(scheme(OID.ecdsaWithSha256)).to.deep.equal({ family: 'ecdsa', hash: 'sha256' });
    expect(scheme(OID.ecdsaWithSha384)).to.deep.equal({ family: 'ecdsa', hash: 'sha384' });
    expect(scheme(OID.ecdsaWithSha512)).to.deep.equal({ family: 'ecdsa', hash: 'sha512' });
    expect(scheme(OID.sha256WithRsa, nil())).to.deep.equal({ family: 'rsa', hash: 'sha256' });
    expect(scheme(OID.sha384WithRsa, nil())).to.deep.equal({ family: 'rsa', hash: 'sha384' });
    expect(scheme(OID.sha512WithRsa), 'RFC 4055 §5: absent is NULL').to.deep.equal({ family: 'rsa', hash: 'sha512' });
    expect(scheme(OID.ed25519)).to.deep.equal({ family: 'ed25519' });
    expect(pss(OID.sha256, OID.sha256, 32)).to.deep.equal({ family: 'rsa-pss', hash: 'sha256', saltLength: 32 });
    expect(pss(OID.sha512, OID.sha512, 64)).to.deep.equal({ family: 'rsa-pss', hash: 'sha512', saltLength: 64 });
  });

  const refused: Record<string, ReturnType<typeof schemeOf>> = {
    'MD5 with RSA': scheme('1.2.840.113549.1.1.4', nil()),
    'SHA-1 with RSA': scheme('1.2.840.113549.1.1.5', nil()),
    'SHA-1 with ECDSA': scheme('1.2.840.10045.4.1'),
    'SHA-224 with ECDSA': scheme('1.2.840.10045.4.3.1'),
    'SHA-256 with DSA': scheme('2.16.840.1.101.3.4.3.2'),
    'ECDSA with parameters': scheme(OID.ecdsaWithSha256, nil()),
    'Ed25519 with parameters': scheme(OID.ed25519, nil()),
    'RSA with other parameters': scheme(OID.sha256WithRsa, integer(1)),
    'PSS without parameters, which means SHA-1': scheme(OID.rsaPss),
    'PSS with empty parameters, which mean SHA-1': scheme(OID.rsaPss, seq()),
    'PSS with SHA-1': pss('1.3.14.3.2.26', '1.3.14.3.2.26', 20),
    'PSS with two hashes': pss(OID.sha256, OID.sha384, 32),
    'PSS with another mask': scheme(
      OID.rsaPss,
      seq(context(0, hash(OID.sha256)), context(1, seq(oid('1.2.3'), hash(OID.sha256))), context(2, integer(32))),
    ),
    'PSS with a mask without hash, which means SHA-1': scheme(
      OID.rsaPss,
      seq(context(0, hash(OID.sha256)), context(1, seq(oid(OID.mgf1))), context(2, integer(32))),
    ),
    'PSS without salt': pss(OID.sha256, OID.sha256, 0),
    'PSS with a long salt': pss(OID.sha256, OID.sha256, 64),
    'PSS with another trailer': pss(OID.sha256, OID.sha256, 32, context(3, integer(2))),
    'PSS with parameters that are none': scheme(OID.rsaPss, nil()),
  };
  for (const [what, found] of Object.entries(refused)) {
    it(`are not ${what}`, () => {
      expect(found).to.equal(undefined);
    });
  }
});

describe('a signature', () => {
  const message = Buffer.from('message');
  const ec = makeKeys('P-256');
  const rsa = makeKeys('RSA-2048');
  const ed = makeKeys('Ed25519');
  const pssScheme = { family: 'rsa-pss', hash: 'sha256', saltLength: 32 } as const;
  const padding = constants.RSA_PKCS1_PSS_PADDING;

  it('is checked with its own scheme only', () => {
    const signature = sign('sha256', message, rsa.privateKey);
    expect(isSignedBy(rsa.publicKey, { family: 'rsa', hash: 'sha256' }, message, signature)).to.equal(true);
    expect(isSignedBy(rsa.publicKey, { family: 'rsa', hash: 'sha384' }, message, signature)).to.equal(false);
    expect(isSignedBy(rsa.publicKey, pssScheme, message, signature)).to.equal(false);
  });

  it('by PSS is checked with its salt length', () => {
    const signed = (saltLength: number) => sign('sha256', message, { key: rsa.privateKey, padding, saltLength });
    expect(isSignedBy(rsa.publicKey, pssScheme, message, signed(32))).to.equal(true);
    expect(isSignedBy(rsa.publicKey, pssScheme, message, signed(20))).to.equal(false);
  });

  it('is not by a key of another family, and garbage is by no key', () => {
    const schemes = [
      { family: 'ecdsa', hash: 'sha256' },
      { family: 'rsa', hash: 'sha256' },
      pssScheme,
      { family: 'ed25519' },
    ] as const;
    for (const { publicKey } of [ec, rsa, ed]) {
      for (const one of schemes) {
        for (const garbage of [Buffer.alloc(0), Buffer.alloc(64, 1), Buffer.alloc(256, 0xff)]) {
          expect(isSignedBy(publicKey, one, message, garbage)).to.equal(false);
        }
      }
    }
  });
});
