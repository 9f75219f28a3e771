import { X509Certificate } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { decodePem, encodePem, PemError } from '../../../shared/x509/pem.ts';
import { createTestAuthority } from '../../support/test-authority.ts';

const { der } = createTestAuthority({ trustDomain: 'a.test' });
const pem = encodePem('CERTIFICATE', der);

describe('PEM', () => {
  it('is written as OpenSSL does: lines of 64, one new line at the end', () => {
    expect(pem).to.equal(new X509Certificate(der).toString());
  });

  it('comes back as the same bytes, one block or several, whatever the bytes are', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { minLength: 1, maxLength: 5 }),
        (blocks) => {
          const text = blocks.map((block) => encodePem('X', block)).join('\n');
          expect(decodePem(text, 'X').map((block) => [...block])).to.deep.equal(blocks.map((block) => [...block]));
        },
      ),
    );
  });

  it('takes CRLF, indentation around and blank lines between blocks', () => {
    const text = `\r\n  ${pem.replaceAll('\n', '\r\n')}\r\n\r\n${pem}\t`;
    expect(decodePem(text, 'CERTIFICATE')).to.have.lengthOf(2);
  });

  const [begin, end] = ['-----BEGIN CERTIFICATE-----', '-----END CERTIFICATE-----'];
  const refused: Record<string, string> = {
    nothing: '',
    'white space only': ' \n',
    'text in front': `subject=x\n${pem}`,
    'text in place of the first boundary': pem.replace(begin, 'x'.repeat(begin.length)),
    'text between': `${pem}# comment\n${pem}`,
    'text behind': `${pem}x`,
    'another label': encodePem('CERTIFICATE REQUEST', der),
    'a private key beside the certificate': pem + encodePem('PRIVATE KEY', der),
    'a label in lower case': pem.replaceAll('CERTIFICATE', 'certificate'),
    'no end': pem.slice(0, -10),
    'another end': pem.replace('END CERTIFICATE', 'END X'),
    'an empty block': `${begin}\n${end}\n`,
    'a block on one line': `${begin}AAAA${end}`,
    'an end on the line of the text': `${begin}\nAAAA${end}\n`,
    'text on the line of the beginning': `${begin}AAAA\n${end}\n`,
    'headers inside': pem.replace(`${begin}\n`, `${begin}\nProc-Type: 4,ENCRYPTED\n\n`),
    'characters that are not base64': `${begin}\nAA*A\n${end}\n`,
    base64url: `${begin}\nAA-_\n${end}\n`,
    'padding in the middle': `${begin}\nAA==AAAA\n${end}\n`,
    'missing padding': `${begin}\nAAA\n${end}\n`,
    'bits behind the end': `${begin}\nAAB=\n${end}\n`,
    'a nested begin': `${begin}\n${pem}${end}\n`,
  };
  for (const [what, text] of Object.entries(refused)) {
    it(`refuses ${what}`, () => {
      expect(() => decodePem(text, 'CERTIFICATE')).to.throw(PemError);
    });
  }

  it('refuses more blocks than asked for', () => {
    expect(decodePem(pem.repeat(2), 'CERTIFICATE', 2)).to.have.lengthOf(2);
    expect(() => decodePem(pem.repeat(3), 'CERTIFICATE', 2)).to.throw(PemError);
  });

  it('never repeats the text in its error', () => {
    expect(() => decodePem('-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n', 'CERTIFICATE')).to.throw(
      PemError,
      /^(?!.*c2VjcmV0)/,
    );
  });
});
