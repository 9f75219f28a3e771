/** The first bytes of a connection say what it speaks, or that more are needed; never the wrong thing. */
import { expect } from 'chai';
import fc from 'fast-check';
import { LONGEST_LOOK, saidIn, spokenIn } from '../../../sidecar/relay/protocol-detect.ts';

const of = (text: string) => spokenIn(Buffer.from(text, 'latin1'));

describe('what the first bytes speak', () => {
  const speaks: readonly (readonly [string, string, string])[] = [
    ['an ordinary request', 'http', 'GET / HTTP/1.1\r\n'],
    ['a private method', 'http', 'M-SEARCH * HTTP/1.1\r\n'],
    ['a request to a proxy', 'http', 'CONNECT orders:80 HTTP/1.1\r\n'],
    ['a request in absolute form', 'http', 'GET http://orders/ HTTP/1.1\r\n'],
    ['HTTP/2 with prior knowledge', 'h2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04'],
    ['a ClientHello', 'tls', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['a TLS record that is no ClientHello', 'opaque', '\x16\x03\x03\x00\x04\x02\x00\x00\x00'],
    ['SSH', 'opaque', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['PostgreSQL', 'opaque', '\0\0\0\x08\x04\xd2\x16\x2f'],
    ['Redis', 'opaque', '*1\r\n$4\r\nPING\r\n'],
    ['SMTP', 'opaque', 'EHLO here.example\r\n'],
    ['IRC', 'opaque', 'NICK bob\r\n'],
    ['something that begins like a scheme', 'opaque', 'NICK https\r\n'],
    ['lower case text', 'opaque', 'get / HTTP/1.1\r\n'],
    ['an endless word', 'opaque', 'A'.repeat(LONGEST_LOOK)],
    ['a word and two spaces', 'opaque', 'GET  / HTTP/1.1\r\n'],
    ['a broken preface, which is a request that will be refused', 'http', 'PRI * HTTP/2.0\r\n\r\nXX'],
  ];
  for (const [name, what, text] of speaks) {
    it(`${name}: ${what}`, () => expect(of(text)).to.equal(what));
  }

  for (const [name, , text] of speaks) {
    it(`${name}: the same verdict however few bytes come first`, () => {
      const whole = of(text);
      for (let length = 0; length <= text.length; length++) {
        expect(of(text.slice(0, length))).to.be.oneOf([undefined, whole]);
      }
    });
  }

  it('is decided with a bounded number of bytes, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: LONGEST_LOOK, maxLength: LONGEST_LOOK }), (bytes) => {
        expect(spokenIn(Buffer.from(bytes))).to.not.equal(undefined);
      }),
    );
  });

  it('never changes once it is decided', () => {
    const beginning = fc.constantFrom('GET ', 'PRI * HTTP/2.0\r\n\r\nSM', '\x16\x03\x01', 'POST', 'X');
    fc.assert(
      fc.property(beginning, fc.uint8Array({ maxLength: 40 }), (text, rest) => {
        const bytes = Buffer.concat([Buffer.from(text, 'latin1'), rest]);
        let decided: string | undefined;
        for (let length = 0; length <= bytes.length; length++) {
          const now = spokenIn(bytes.subarray(0, length));
          if (decided !== undefined) expect(now).to.equal(decided);
          decided = now;
        }
      }),
    );
  });
});

describe('what a server shows that speaks first', () => {
  const says: readonly (readonly [string, string, string])[] = [
    ['the settings of HTTP/2', 'h2', '\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0d'],
    ['empty settings of HTTP/2', 'h2', '\0\0\0\x04\0\0\0\0\0'],
    ['settings of a length that none have', 'other', '\0\0\x05\x04\0\0\0\0\0'],
    ['settings on a stream', 'other', '\0\0\0\x04\0\0\0\0\x01'],
    ['an answer', 'answer', 'HTTP/1.1 408 Request Timeout\r\n'],
    ['a word like an answer', 'other', 'HTTQ/1.1 408'],
    ['SMTP', 'other', '220 ready\r\n'],
    ['SSH', 'other', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['MySQL', 'other', 'J\0\0\0\n8.0.36\0'],
  ];
  for (const [name, what, text] of says) {
    it(`${name}: ${what}, and the same verdict however few bytes come first`, () => {
      for (let length = 0; length < text.length; length++) {
        expect(saidIn(Buffer.from(text.slice(0, length), 'latin1'))).to.be.oneOf([undefined, what]);
      }
      expect(saidIn(Buffer.from(text, 'latin1'))).to.equal(what);
    });
  }

  it('is decided with nine bytes, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 9, maxLength: 9 }), (bytes) => {
        expect(saidIn(Buffer.from(bytes))).to.not.equal(undefined);
      }),
    );
  });
});
