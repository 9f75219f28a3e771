import { expect } from 'chai';
import { CSR_RULES, checkCsr } from '../../../citadel/csr/csr-rules.ts';
import { parseCsr } from '../../../shared/x509/csr.ts';
import { contextPrimitive, extension, nil, octets, seq } from '../../../shared/x509/der-writer.ts';
import { OID } from '../../../shared/x509/oids.ts';
import { verdictOn } from '../../support/refusals.ts';
import { makeKeys, type TestKeyType } from '../../support/test-certificate.ts';
import { type TestCsrOptions, testCsr } from '../../support/test-csr.ts';

const WEB = 'spiffe://cluster.local/ns/shop/sa/web';
const ORDERS = 'spiffe://cluster.local/ns/shop/sa/orders';

const verdict = (options: TestCsrOptions): string => verdictOn(() => checkCsr(parseCsr(testCsr(options)), WEB));

describe('the rules for a CSR', () => {
  describe('accept', () => {
    for (const type of ['P-256', 'P-384', 'Ed25519', 'RSA-2048'] satisfies TestKeyType[]) {
      it(`a key of kind ${type}`, () => expect(verdict({ keys: makeKeys(type) })).to.equal('accepted'));
    }
    it('no name at all', () => expect(verdict({})).to.equal('accepted'));
    it('exactly the attested name', () => expect(verdict({ uris: [WEB] })).to.equal('accepted'));
    it('extensions that are known, whatever they say: none is taken over', () => {
      const usage = extension(OID.extendedKeyUsage, true, seq(Buffer.from([0x06, 0x08, 0x2b, 6, 1, 5, 5, 7, 3, 1])));
      expect(verdict({ extensions: [usage] })).to.equal('accepted');
    });
  });

  const refused: readonly [string, string, () => TestCsrOptions][] = [
    ['RSA-1024', 'csr_key_unsupported', () => ({ keys: makeKeys('RSA-1024') })],
    ['P-521', 'csr_key_unsupported', () => ({ keys: makeKeys('P-521') })],
    ['secp256k1', 'csr_key_unsupported', () => ({ keys: makeKeys('secp256k1') })],
    ['another workload’s name', 'csr_identity_mismatch', () => ({ uris: [ORDERS] })],
    ['the name in another case', 'csr_identity_mismatch', () => ({ uris: [WEB.replace('web', 'Web')] })],
    ['the trust domain as name', 'csr_identity_mismatch', () => ({ uris: ['spiffe://cluster.local'] })],
    ['two URI names', 'csr_names_several', () => ({ uris: [WEB, ORDERS] })],
    ['its own name twice', 'csr_names_several', () => ({ uris: [WEB, WEB] })],
    ['a DNS name', 'csr_identity_mismatch', () => ({ dnsNames: ['citadel.citadel-system.svc'] })],
    ['a DNS name beside its own', 'csr_identity_mismatch', () => ({ uris: [WEB], dnsNames: ['web'] })],
    [
      'an IP address',
      'csr_identity_mismatch',
      () => ({ extensions: [altName(contextPrimitive(7, Buffer.of(10, 0, 0, 1)))] }),
    ],
    ['a mailbox', 'csr_identity_mismatch', () => ({ extensions: [altName(contextPrimitive(1, Buffer.from('a@b')))] })],
    ['to be an authority', 'csr_ca_requested', () => ({ ca: true })],
    [
      'the usage of an authority',
      'csr_ca_requested',
      () => ({ extensions: [extension(OID.keyUsage, true, Buffer.of(3, 2, 2, 4))] }),
    ],
    [
      'one extension twice',
      'csr_extension_duplicate',
      () => ({ uris: [WEB], extensions: [altName(contextPrimitive(6, Buffer.from(WEB)))] }),
    ],
    [
      'a critical extension nobody knows',
      'csr_extension_critical_unknown',
      () => ({ extensions: [extension('1.3.6.1.4.1.99999.1', true, nil())] }),
    ],
    ['possession of a key it does not have', 'csr_signature_invalid', () => ({ signedBy: makeKeys().privateKey })],
  ];
  for (const [what, code, options] of refused) {
    it(`refuse a CSR that asks for ${what} with ${code}`, () => expect(verdict(options())).to.equal(code));
  }

  it('refuse a tampered CSR: the name under the signature was another one', () => {
    const der = testCsr({ uris: [WEB.replace('web', 'wex')] });
    der[der.indexOf('wex') + 2] = 'b'.charCodeAt(0);
    expect(verdictOn(() => checkCsr(parseCsr(der), WEB))).to.equal('csr_signature_invalid');
  });

  it('refuse DER of more than 16 KiB, however it got past the reader', () => {
    const filler = extension('1.3.6.1.4.1.99999.2', false, octets(Buffer.alloc(17 * 1024)));
    expect(verdict({ extensions: [filler] })).to.equal('csr_too_large');
  });

  it('look at the signature last, so that garbage costs no arithmetic', () => {
    expect(CSR_RULES.at(-1)?.code).to.equal('csr_signature_invalid');
    expect(verdict({ keys: makeKeys('RSA-1024'), signedBy: makeKeys().privateKey })).to.equal('csr_key_unsupported');
  });

  it('have a name and a clause each', () => {
    expect(CSR_RULES.filter(({ name, clause }) => name === '' || clause === '')).to.deep.equal([]);
    expect(new Set(CSR_RULES.map(({ name }) => name)).size).to.equal(CSR_RULES.length);
  });
});

function altName(...names: readonly Buffer[]): Buffer {
  return extension(OID.subjectAltName, false, seq(...names));
}
