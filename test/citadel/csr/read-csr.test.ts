import { expect } from 'chai';
import { readCsr } from '../../../citadel/csr/read-csr.ts';
import { Refusal } from '../../../shared/errors/refusal.ts';
import { encodePem } from '../../../shared/x509/pem.ts';
import { verdictOn } from '../../support/refusals.ts';
import { testCsr, testCsrPem } from '../../support/test-csr.ts';

const LABEL = 'CERTIFICATE REQUEST';

describe('reading a CSR', () => {
  it('takes one PEM block', () => {
    const csr = readCsr(testCsrPem({ uris: ['spiffe://cluster.local/ns/shop/sa/web'] }));
    expect(csr.uriNames).to.deep.equal(['spiffe://cluster.local/ns/shop/sa/web']);
    expect(csr.key.kind).to.equal('P-256');
  });

  const refused: readonly [string, string, () => string][] = [
    ['nothing', 'csr_missing', () => ''],
    ['white space', 'csr_missing', () => ' \n\t'],
    ['more than 16 KiB', 'csr_too_large', () => 'A'.repeat(16 * 1024 + 1)],
    ['a megabyte that begins well', 'csr_too_large', () => testCsrPem() + '\n'.repeat(1 << 20)],
    ['no PEM', 'csr_malformed', () => 'hello'],
    ['another kind of PEM', 'csr_malformed', () => encodePem('CERTIFICATE', testCsr())],
    ['two CSRs', 'csr_malformed', () => testCsrPem() + testCsrPem()],
    ['text around the block', 'csr_malformed', () => `here it comes\n${testCsrPem()}`],
    ['truncated DER', 'csr_malformed', () => encodePem(LABEL, testCsr().subarray(0, -7))],
    ['bytes behind the DER', 'csr_malformed', () => encodePem(LABEL, Buffer.concat([testCsr(), Buffer.of(0)]))],
    ['an empty block', 'csr_malformed', () => `-----BEGIN ${LABEL}-----\n-----END ${LABEL}-----\n`],
  ];
  for (const [what, code, pem] of refused) {
    it(`refuses ${what} with ${code}`, () => {
      expect(verdictOn(() => readCsr(pem()))).to.equal(code);
    });
  }

  it('survives every truncation and every flipped byte with a refusal or an answer', () => {
    const der = testCsr({ uris: ['spiffe://cluster.local/ns/shop/sa/web'], dnsNames: ['web'], ca: true });
    for (let at = 0; at < der.length; at++) {
      const flipped = Buffer.from(der);
      flipped[at]! ^= 0xff;
      for (const bytes of [der.subarray(0, at), flipped]) {
        expect(verdictOn(() => readCsr(encodePem(LABEL, bytes)).isSelfSigned())).to.be.oneOf([
          'accepted',
          'csr_malformed',
        ]);
      }
    }
  });

  it('tells nothing of the text in its detail', () => {
    try {
      readCsr('-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n');
      expect.fail('accepted');
    } catch (error) {
      expect(error).to.be.instanceOf(Refusal);
      expect((error as Refusal).detail).not.to.match(/c2VjcmV0|PRIVATE/);
    }
  });
});
