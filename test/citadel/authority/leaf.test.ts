import 'reflect-metadata';
import { X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { expect } from 'chai';
import { type Authority, createAuthority } from '../../../citadel/authority/authority.ts';
import { systemClock, systemRandomness } from '../../../shared/clock/clock.ts';
import { readCertificate } from '../../../shared/x509/certificate.ts';
import { decodePem } from '../../../shared/x509/pem.ts';
import { anchorsOf } from '../../../shared/x509/trust-anchors.ts';
import { verifyLeafUnder, verifySvid } from '../../../shared/x509/verify-svid.ts';
import { materialOf } from '../../support/authority-material.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { makeKeys, spkiOf, type TestKeyType } from '../../support/test-certificate.ts';
import { opensslOpinion, opensslText, peculiarOpinion, pkijsOpinion } from '../../support/x509-oracles.ts';

const WEB = 'spiffe://cluster.local/ns/shop/sa/web';
const NOW = Math.floor(systemClock.now() / 1000) * 1000;
const DATES = { notBefore: NOW - 60_000, notAfter: NOW + 3_600_000 };
const LEAF_KEYS: readonly TestKeyType[] = ['P-256', 'P-384', 'Ed25519', 'RSA-2048'];
const ISSUER_KEYS: readonly TestKeyType[] = ['P-256', 'P-384', 'RSA-2048'];

function authorityWith(keyType: TestKeyType): Authority {
  const intermediate = createTestAuthority({ trustDomain: 'cluster.local' }).intermediate({ keyType });
  return createAuthority(materialOf(intermediate), 'cluster.local', 7, systemRandomness);
}

const chainOf = (authority: Authority, leaf: Buffer): Buffer[] => [
  leaf,
  ...authority.chainPem.flatMap((pem) => decodePem(pem, 'CERTIFICATE')),
];

/** What stands between "X509v3 extensions:" and the signature, without indentation. */
function extensionLines(text: string): string[] {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.slice(
    lines.indexOf('X509v3 extensions:') + 1,
    lines.findLastIndex((line) => line.startsWith('Signature Algorithm:')),
  );
}

describe('a leaf', () => {
  const keys = new Map(LEAF_KEYS.map((type) => [type, makeKeys(type)]));
  const spki = (type: TestKeyType): Buffer => spkiOf(keys.get(type)!.publicKey);

  for (const issuerKey of ISSUER_KEYS) {
    describe(`under a ${issuerKey} issuer`, () => {
      const authority = authorityWith(issuerKey);
      const root = authority.bundle.authorities[0]!;

      for (const type of LEAF_KEYS) {
        it(`with a ${type} key convinces OpenSSL, pkijs, @peculiar/x509 and our own verifier`, async () => {
          const { der } = authority.signLeaf({ spki: spki(type), spiffeId: WEB, ...DATES });
          const chain = chainOf(authority, der);
          for (const purpose of ['sslserver', 'sslclient'] as const) {
            expect(await opensslOpinion(chain, root, purpose)).to.deep.include({ accepts: true });
          }
          expect(await pkijsOpinion(chain, root)).to.deep.include({ accepts: true });
          expect(await peculiarOpinion(chain, root)).to.deep.include({ accepts: true });
          expect(verifySvid(chain, anchorsOf([authority.bundle]), NOW).spiffeId.uri).to.equal(WEB);
          expect(verifyLeafUnder(der, authority.issuer, NOW).spiffeId.uri).to.equal(WEB);
        });
      }
    });
  }

  const authority = authorityWith('P-256');

  it('has exactly the fields that the design lists, by the words of openssl x509 -text', async () => {
    const { der, serial } = authority.signLeaf({ spki: spki('P-256'), spiffeId: WEB, ...DATES });
    const text = await opensslText(der);
    const id = (name: string): string => (name.match(/../g) ?? []).join(':').toUpperCase();
    const leaf = readCertificate(der);
    expect(text)
      .to.match(/Version: 3 \(0x2\)/)
      .and.match(/Subject: *\n/)
      .and.match(/Signature Algorithm: ecdsa-with-SHA256/);
    expect(text.toLowerCase()).to.contain((serial.match(/../g) ?? []).join(':'));
    expect(extensionLines(text)).to.deep.equal([
      'X509v3 Basic Constraints: critical',
      'CA:FALSE',
      'X509v3 Key Usage: critical',
      'Digital Signature',
      'X509v3 Extended Key Usage:',
      'TLS Web Server Authentication, TLS Web Client Authentication',
      'X509v3 Subject Key Identifier:',
      id(leaf.subjectKeyId!.toString('hex')),
      'X509v3 Authority Key Identifier:',
      id(authority.issuer.certificate.subjectKeyId!.toString('hex')),
      'X509v3 Subject Alternative Name: critical',
      `URI:${WEB}`,
    ]);
  });

  it('has the dates that were granted, and GeneralizedTime from 2050 on', () => {
    const granted = { notBefore: Date.UTC(2049, 11, 31, 23, 59, 59), notAfter: Date.UTC(2050, 0, 1, 1) };
    const { der } = authority.signLeaf({ spki: spki('P-256'), spiffeId: WEB, ...granted });
    const leaf = new x509.X509Certificate(Uint8Array.from(der));
    expect([leaf.notBefore.getTime(), leaf.notAfter.getTime()]).to.deep.equal([granted.notBefore, granted.notAfter]);
  });

  it('keeps its own dates when many are signed in turn', () => {
    const shifts = [
      [0, 0],
      [0, 1000],
      [1000, 1000],
      [0, 0],
      [1000, 0],
    ] as const;
    const lives = shifts.map(([begin, end]) => {
      const dates = { notBefore: DATES.notBefore + begin, notAfter: DATES.notAfter - end };
      const leaf = readCertificate(authority.signLeaf({ spki: spki('P-256'), spiffeId: WEB, ...dates }).der);
      return leaf.notBefore === dates.notBefore && leaf.notAfter === dates.notAfter;
    });
    expect(lives).to.deep.equal([true, true, true, true, true]);
  });

  it('has a positive serial of 16 octets that never comes twice', () => {
    const serials = Array.from(
      { length: 500 },
      () => authority.signLeaf({ spki: spki('P-256'), spiffeId: WEB, ...DATES }).serial,
    );
    expect(new Set(serials).size).to.equal(500);
    for (const serial of serials) expect(serial).to.match(/^[4-7][0-9a-f]{31}$/);
    // Twelve octets of chance: no two begin alike behind the time.
    expect(new Set(serials.map((serial) => serial.slice(8, 24))).size).to.equal(500);
  });

  it('has a serial that rises from second to second, so that the journal writes its index at one end', () => {
    const serials = [0, 1000, 2000, 3600_000].map((later) => {
      const dates = { notBefore: DATES.notBefore + later, notAfter: DATES.notAfter + later };
      return authority.signLeaf({ spki: spki('P-256'), spiffeId: WEB, ...dates }).serial;
    });
    expect(serials).to.deep.equal(serials.toSorted());
  });

  it('is well-formed for names of every length that SPIFFE allows, across all forms of DER lengths', () => {
    const lengths = [...Array.from({ length: 280 }, (_, at) => 27 + at), 1000, 2048];
    for (const length of lengths) {
      const spiffeId = `spiffe://cluster.local/ns/${'n'.repeat(length - 26)}`;
      const { der, serial } = authority.signLeaf({ spki: spki('P-256'), spiffeId, ...DATES });
      const leaf = readCertificate(der);
      expect([leaf.uriNames, leaf.serial, leaf.spki.equals(spki('P-256'))]).to.deep.equal([[spiffeId], serial, true]);
      expect(new X509Certificate(der).verify(authority.issuer.key)).to.equal(true);
    }
  });

  it('identifies equal keys equally and different keys differently', () => {
    const idOf = (type: TestKeyType): string =>
      readCertificate(authority.signLeaf({ spki: spki(type), spiffeId: WEB, ...DATES }).der).subjectKeyId!.toString(
        'hex',
      );
    expect(idOf('P-256')).to.equal(idOf('P-256'));
    expect(new Set(LEAF_KEYS.map(idOf)).size).to.equal(LEAF_KEYS.length);
  });

  it('under an issuer without a key identifier names the issuer’s key all the same', async () => {
    const material = materialOf(createTestAuthority({ trustDomain: 'cluster.local' }).intermediate());
    const { subjectKeyId: _, ...signing } = material.signing;
    const nameless = createAuthority({ ...material, signing }, 'cluster.local', 1, systemRandomness);
    const { der } = nameless.signLeaf({ spki: spki('P-256'), spiffeId: WEB, ...DATES });
    expect(readCertificate(der).authorityKeyId).to.have.length(20);
  });
});

describe('a serving certificate', () => {
  it('is an SVID with the DNS names and addresses that clients look for', async () => {
    const authority = authorityWith('P-256');
    const names = {
      dnsNames: ['localhost', 'citadel.citadel-system.svc'],
      ipAddresses: ['127.0.0.1', '::1', '2001:db8::a'],
    };
    const spki = spkiOf(makeKeys().publicKey);
    const { der } = authority.signServing({ spki, spiffeId: 'spiffe://cluster.local/citadel', ...names, ...DATES });
    const certificate = new X509Certificate(der);
    for (const host of names.dnsNames) expect(certificate.checkHost(host)).to.equal(host);
    for (const address of names.ipAddresses) expect(certificate.checkIP(address)).to.equal(address);
    expect(certificate.checkHost('elsewhere')).to.equal(undefined);
    expect(verifyLeafUnder(der, authority.issuer, NOW).spiffeId.uri).to.equal('spiffe://cluster.local/citadel');
    expect(
      await opensslOpinion(chainOf(authority, der), authority.bundle.authorities[0]!, 'sslserver'),
    ).to.deep.include({ accepts: true });
  });
});
