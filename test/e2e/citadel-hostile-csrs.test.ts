/**
 * Promise: whatever CSR comes with a good token, the certificate is for the key that signed the CSR and for the
 * identity of the token, or there is none. Every wrong CSR meets its own code, is counted, and leaves nothing in the
 * journal; the next honest caller is served.
 * Real parts: citadel as a process, `openssl req` as the maker of good and bad requests.
 */
import { createPublicKey, X509Certificate } from 'node:crypto';
import { expect } from 'chai';
import type { RefusalCode } from '../../shared/errors/refusal.ts';
import { bool, extension, integer, octets, seq } from '../../shared/x509/der-writer.ts';
import { OID } from '../../shared/x509/oids.ts';
import { encodePem } from '../../shared/x509/pem.ts';
import { type ApiAnswer, type CitadelClient, codeOf } from '../support/citadel-client.ts';
import { CitadelProcess, freshCsr } from '../support/citadel-process.ts';
import { opensslCsr } from '../support/openssl-csr.ts';
import { makeKeys, type TestKeyType } from '../support/test-certificate.ts';
import { testCsr, testCsrPem } from '../support/test-csr.ts';
import { TestIssuer } from '../support/token-sources.ts';
import { podFacts } from '../support/tokens.ts';

const OWN = 'spiffe://cluster.local/ns/shop/sa/web';
const OTHER = 'spiffe://cluster.local/ns/shop/sa/admin';
const KEY_USAGE = 'keyUsage = critical, digitalSignature';

describe('citadel, offered hostile CSRs', () => {
  let issuer: TestIssuer;
  let citadel: CitadelProcess;
  let client: CitadelClient;
  let token: string;
  before(async () => {
    issuer = await TestIssuer.start();
    citadel = await CitadelProcess.start({ tokens: issuer });
    client = await citadel.client();
    token = issuer.token(podFacts());
  });
  after(async () => {
    await citadel?.[Symbol.asyncDispose]();
    issuer?.close();
  });

  const isRefused = async (csr: string, code: RefusalCode): Promise<void> => {
    const before = await citadel.refusals(code);
    const answer = await client.certificate(token, csr);
    expect([answer.status >= 400 && answer.status < 500, codeOf(answer)]).to.deep.equal([true, code]);
    expect(answer.headers['content-type']).to.equal('application/problem+json');
    const requestId = answer.headers['x-request-id'];
    expect((await citadel.logged(requestId)).fields).to.include({ code });
    expect(await citadel.refusals(code)).to.equal(before + 1);
    expect(citadel.recorded(requestId)).to.deep.equal([]);
    expect((await client.certificate(token, freshCsr())).status).to.equal(201);
  };

  /** Issued, for the key of the CSR and for the identity of the token. */
  const isIssued = (answer: ApiAnswer, publicKey: string | Buffer): void => {
    expect(answer.status, answer.text).to.equal(201);
    const leaf = new X509Certificate((answer.json!['certificateChain'] as string[])[0]!);
    expect(leaf.subjectAltName).to.equal(`URI:${OWN}`);
    expect(leaf.publicKey.export({ type: 'spki', format: 'der' })).to.deep.equal(Buffer.from(publicKey));
  };

  const known = (ca: boolean) => extension(OID.basicConstraints, true, seq(...(ca ? [bool(true)] : [])));
  const MADE: readonly (readonly [fault: string, code: RefusalCode, csr: () => string])[] = [
    ['nothing', 'csr_missing', () => ''],
    ['blanks', 'csr_missing', () => ' \n '],
    ['a signature by another key', 'csr_signature_invalid', () => testCsrPem({ signedBy: makeKeys().privateKey })],
    ['a signature that was changed', 'csr_signature_invalid', () => lastByteChanged(testCsr())],
    ['RSA-1024', 'csr_key_unsupported', () => testCsrPem({ keys: makeKeys('RSA-1024') })],
    ['P-521', 'csr_key_unsupported', () => testCsrPem({ keys: makeKeys('P-521') })],
    ['secp256k1', 'csr_key_unsupported', () => testCsrPem({ keys: makeKeys('secp256k1') })],
    ['the name of somebody else', 'csr_identity_mismatch', () => testCsrPem({ uris: [OTHER] })],
    ['its name in other letters', 'csr_identity_mismatch', () => testCsrPem({ uris: [OWN.replace('web', 'Web')] })],
    [
      'its name in another trust domain',
      'csr_identity_mismatch',
      () => testCsrPem({ uris: [OWN.replace('.local', '')] }),
    ],
    ['its name and more path', 'csr_identity_mismatch', () => testCsrPem({ uris: [`${OWN}/../admin`] })],
    ['its name with a NUL behind', 'csr_identity_mismatch', () => testCsrPem({ uris: [`${OWN}\0`] })],
    ['two names, its own first', 'csr_names_several', () => testCsrPem({ uris: [OWN, OTHER] })],
    ['its own name twice', 'csr_names_several', () => testCsrPem({ uris: [OWN, OWN] })],
    ['a DNS name', 'csr_identity_mismatch', () => testCsrPem({ dnsNames: ['web.shop.svc'] })],
    ['its own name and a DNS name', 'csr_identity_mismatch', () => testCsrPem({ uris: [OWN], dnsNames: ['web'] })],
    ['the wish to be an authority', 'csr_ca_requested', () => testCsrPem({ ca: true })],
    ['an extension twice', 'csr_extension_duplicate', () => testCsrPem({ extensions: [known(false), known(false)] })],
    [
      'CA false and then CA true',
      'csr_extension_duplicate',
      () => testCsrPem({ extensions: [known(false), known(true)] }),
    ],
    [
      'an unknown critical extension',
      'csr_extension_critical_unknown',
      () => testCsrPem({ extensions: [unknown(true)] }),
    ],
    ['17 KiB', 'csr_too_large', () => testCsrPem({ extensions: [unknown(false, 13_000)] })],
    ['DER that ends too early', 'csr_malformed', () => pem(testCsr().subarray(0, -1))],
    ['DER that goes on after its end', 'csr_malformed', () => pem(Buffer.concat([testCsr(), Buffer.from([0])]))],
    [
      'a length that promises too much',
      'csr_malformed',
      () => pem(Buffer.from([0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 0])),
    ],
    ['a thousand nested sequences', 'csr_malformed', () => pem(nested(1000))],
    ['base64 of nothing sensible', 'csr_malformed', () => pem(Buffer.from('no DER at all'))],
    ['garbage', 'csr_malformed', () => 'garbage'],
    ['a certificate instead', 'csr_malformed', () => testCsrPem().replaceAll('CERTIFICATE REQUEST', 'CERTIFICATE')],
    ['two CSRs', 'csr_malformed', () => testCsrPem() + testCsrPem()],
    ['text before the CSR', 'csr_malformed', () => `see below\n${testCsrPem()}`],
    ['a private key with it', 'csr_malformed', () => testCsrPem() + pem(Buffer.alloc(32), 'PRIVATE KEY')],
  ];
  for (const [fault, code, make] of MADE) {
    it(`meets ${fault} with ${code}`, () => isRefused(make(), code));
  }

  it('meets a CSR of 1 MiB by its announced size, before it is read', async () => {
    const answer = await client.certificate(token, pem(Buffer.alloc(786_432)));
    expect([answer.status, codeOf(answer)]).to.deep.equal([413, 'request_too_large']);
    expect((await client.certificate(token, freshCsr())).status).to.equal(201);
  });

  it('ignores an extension that it does not know and need not know', async () => {
    const keys = makeKeys();
    const answer = await client.certificate(token, testCsrPem({ keys, extensions: [unknown(false)] }));
    isIssued(answer, keys.publicKey.export({ type: 'spki', format: 'der' }));
  });

  for (const type of ['P-256', 'P-384', 'Ed25519', 'RSA-2048'] satisfies TestKeyType[]) {
    const key = { 'P-256': 'EC P-256', 'P-384': 'EC P-384', Ed25519: 'ED25519', 'RSA-2048': 'RSA 2048' }[type];
    for (const [what, extensions] of [
      ['no name', []],
      ['its own name', [`subjectAltName = URI:${OWN}`, KEY_USAGE]],
    ] as const) {
      it(`takes what openssl makes: ${type}, asking for ${what}`, async () => {
        const { csrPem, keyPem } = await opensslCsr({ key, extensions, subject: '/O=Shop/CN=web' });
        const spki = createPublicKey(keyPem).export({ type: 'spki', format: 'der' });
        isIssued(await client.certificate(token, csrPem), spki);
      });
    }
  }

  const OPENSSL: readonly (readonly [what: string, code: RefusalCode, key: string, extensions: readonly string[]])[] = [
    ['RSA-1024', 'csr_key_unsupported', 'RSA 1024', []],
    ['P-521', 'csr_key_unsupported', 'EC P-521', []],
    ['Ed448', 'csr_key_unsupported', 'ED448', []],
    ['the name of somebody else', 'csr_identity_mismatch', 'EC P-256', [`subjectAltName = URI:${OTHER}`]],
    ['two names', 'csr_names_several', 'EC P-256', [`subjectAltName = URI:${OWN}, URI:${OTHER}`]],
    ['a DNS name', 'csr_identity_mismatch', 'EC P-256', [`subjectAltName = URI:${OWN}, DNS:web`]],
    ['an address', 'csr_identity_mismatch', 'EC P-256', ['subjectAltName = IP:10.0.0.1']],
    ['a mailbox', 'csr_identity_mismatch', 'EC P-256', ['subjectAltName = email:web@shop']],
    ['CA:TRUE', 'csr_ca_requested', 'EC P-256', ['basicConstraints = critical, CA:TRUE']],
    ['keyCertSign', 'csr_ca_requested', 'EC P-256', ['keyUsage = keyCertSign']],
    ['an unknown critical extension', 'csr_extension_critical_unknown', 'EC P-256', ['1.2.3.4 = critical, ASN1:NULL']],
  ];
  for (const [what, code, key, extensions] of OPENSSL) {
    it(`meets what openssl makes with ${code}: ${what}`, async () => {
      await isRefused((await opensslCsr({ key, extensions })).csrPem, code);
    });
  }
});

const pem = (der: Buffer, label = 'CERTIFICATE REQUEST'): string => encodePem(label, der);

function unknown(critical: boolean, size = 4): Buffer {
  return extension('1.3.6.1.4.1.55555.1', critical, octets(Buffer.alloc(size)));
}

function lastByteChanged(der: Buffer): string {
  const changed = Buffer.from(der);
  changed[changed.length - 1]! ^= 1;
  return pem(changed);
}

function nested(depth: number): Buffer {
  let der = integer(0);
  for (let level = 0; level < depth; level++) der = seq(der);
  return der;
}
