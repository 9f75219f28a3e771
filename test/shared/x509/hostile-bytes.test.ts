/**
 * Bytes from strangers: good certificates and requests, changed at random. Whatever happens is a DerError or a
 * Refusal, nothing that is changed is ever accepted, and what is still readable says the same to Node.
 */
import { X509Certificate } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { systemClock } from '../../../shared/clock/clock.ts';
import { Refusal } from '../../../shared/errors/refusal.ts';
import { type Certificate, readCertificate } from '../../../shared/x509/certificate.ts';
import { parseCsr } from '../../../shared/x509/csr.ts';
import { buildCsr } from '../../../shared/x509/csr-builder.ts';
import { DerError } from '../../../shared/x509/der-reader.ts';
import { anchorOf, anchorsOf } from '../../../shared/x509/trust-anchors.ts';
import { verifyLeafUnder, verifySvid } from '../../../shared/x509/verify-svid.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { makeKeys } from '../../support/test-certificate.ts';

const now = systemClock.now();
const authority = createTestAuthority({ trustDomain: 'a.test' });
const middle = authority.intermediate({ nameConstraints: { permitted: ['a.test'] }, pathLength: 0 });
const [leaf, above] = middle.svid({ dnsNames: ['web'], ipAddresses: ['10.0.0.1'] }).chainDer as [Buffer, Buffer];
const csr = buildCsr(makeKeys(), 'spiffe://a.test/ns/default/sa/web');

type Change = (der: Buffer) => Buffer;

/** One change: a byte set, bytes put in, bytes taken out, a slice copied elsewhere. Places are fractions of the length. */
const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const at = (der: Buffer, fraction: number): number => Math.floor(fraction * der.length);
const change: fc.Arbitrary<Change> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(place, fc.integer({ min: 1, max: 255 })).map(
      ([where, by]): Change =>
        (der) => {
          const copy = Buffer.from(der);
          if (copy.length > 0) copy[at(der, where)]! ^= by;
          return copy;
        },
    ),
  },
  fc.tuple(place, fc.uint8Array({ minLength: 1, maxLength: 8 })).map(
    ([where, bytes]): Change =>
      (der) =>
        Buffer.concat([der.subarray(0, at(der, where)), bytes, der.subarray(at(der, where))]),
  ),
  fc.tuple(place, fc.integer({ min: 1, max: 8 })).map(
    ([where, count]): Change =>
      (der) =>
        Buffer.concat([der.subarray(0, at(der, where)), der.subarray(at(der, where) + count)]),
  ),
  fc.tuple(place, place, fc.integer({ min: 1, max: 64 })).map(
    ([from, to, count]): Change =>
      (der) => {
        const copy = Buffer.from(der);
        copy.copy(copy, at(der, to), at(der, from), at(der, from) + count);
        return copy;
      },
  ),
);
const changes = fc.array(change, { minLength: 1, maxLength: 3 }).map(
  (list): Change =>
    (der) =>
      list.reduce((bytes, one) => one(bytes), der),
);

/** The result, or undefined when it was refused in the one way that is allowed. */
function unlessRefused<T>(refusal: typeof DerError | typeof Refusal, act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    expect(error).to.be.instanceOf(refusal);
    return undefined;
  }
}

function expectNodeAgrees(certificate: Certificate, der: Buffer): void {
  let theirs: X509Certificate;
  try {
    theirs = new X509Certificate(der);
  } catch {
    // OpenSSL looks into names and keys at once, we only when they are used.
    return;
  }
  expect(certificate.serial).to.equal(theirs.serialNumber.toLowerCase());
  expect(certificate.notBefore).to.equal(theirs.validFromDate.getTime());
  expect(certificate.notAfter).to.equal(theirs.validToDate.getTime());
  expect(certificate.isCa).to.equal(theirs.ca);
}

describe('hostile bytes', () => {
  it('in place of a certificate end in a DerError or are read as Node reads them', () => {
    fc.assert(
      fc.property(fc.constantFrom(leaf, above, authority.der), changes, (der, alter) => {
        const bytes = alter(der);
        const certificate = unlessRefused(DerError, () => readCertificate(bytes));
        if (certificate) expectNodeAgrees(certificate, bytes);
      }),
      { numRuns: 3000 },
    );
  });

  it('in place of a CSR end in a DerError, or in a request that is not signed by its key', () => {
    fc.assert(
      fc.property(changes, (alter) => {
        const bytes = alter(csr);
        const parsed = unlessRefused(DerError, () => parseCsr(bytes));
        if (parsed && !bytes.equals(csr)) expect(parsed.isSelfSigned()).to.equal(false);
      }),
      { numRuns: 3000 },
    );
  });

  it('anywhere in a chain end in a Refusal', () => {
    const trust = anchorsOf([authority.bundle()]);
    const issuer = anchorOf(middle.der);
    fc.assert(
      fc.property(fc.boolean(), changes, (inLeaf, alter) => {
        const chain = inLeaf ? [alter(leaf), above] : [leaf, alter(above)];
        if (chain[0]!.equals(leaf) && chain[1]!.equals(above)) return;
        expect(unlessRefused(Refusal, () => verifySvid(chain, trust, now))).to.equal(undefined);
        if (inLeaf) expect(unlessRefused(Refusal, () => verifyLeafUnder(chain[0]!, issuer, now))).to.equal(undefined);
      }),
      { numRuns: 3000 },
    );
  });

  it('without any form end in a DerError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        const der = Buffer.from(bytes);
        expect(unlessRefused(DerError, () => readCertificate(der))).to.equal(undefined);
        expect(unlessRefused(DerError, () => parseCsr(der))).to.equal(undefined);
      }),
    );
  });
});
