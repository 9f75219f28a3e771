import { expect } from 'chai';
import fc from 'fast-check';
import { HeadReader, type HeadReaderOptions } from '../../../shared/http1/head-reader.ts';
import { checkRequestLine } from '../../../shared/http1/request-head.ts';
import { expectFault, LIMITS } from './heads.ts';

const HEAD = 'GET / HTTP/1.1\r\nHost: a\r\nX: \xe9\r\n';
const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1');

/** Gives the pieces one after the other. @returns what it read, and where in the whole it ended; undefined when more is needed */
function fed(
  pieces: readonly Buffer[],
  options: HeadReaderOptions = {},
  limits = LIMITS,
): [string, number] | undefined {
  const reader = new HeadReader(limits, options);
  let before = 0;
  for (const piece of pieces) {
    const lent = Buffer.from(piece);
    const end = reader.push(lent, 0);
    if (end >= 0) return [reader.text, before + end];
    lent.fill(0); // what was lent is the sender's again
    before += piece.length;
  }
  return undefined;
}

const oneByOne = (text: string): Buffer[] => Array.from(bytesOf(text), (byte) => Buffer.of(byte));

describe('HeadReader', () => {
  it('finds the end of a head where it lies, from where it is told to look', () => {
    const reader = new HeadReader(LIMITS);
    const bytes = bytesOf(`body${HEAD}\r\nmore`);
    expect(reader.push(bytes, 4)).to.equal(bytes.length - 4);
    expect(reader.text).to.equal(HEAD);
    expect(reader.bytes.toString('latin1', reader.from, reader.to)).to.equal(HEAD);
    expect(reader.bytes).to.equal(bytes);
    expect(reader.isWithin).to.equal(false);
  });

  it('reads the same from any pieces as from the whole', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(40)), fc.string({ unit: 'binary-ascii', maxLength: 20 }), (cuts, behind) => {
        const bytes = bytesOf(`${HEAD}\r\n${behind}`);
        const pieces: Buffer[] = [];
        let from = 0;
        for (const cut of cuts) {
          pieces.push(bytes.subarray(from, from + cut));
          from += cut;
        }
        pieces.push(bytes.subarray(from));
        expect(fed(pieces)).to.deep.equal([HEAD, HEAD.length + 2]);
      }),
    );
    expect(fed(oneByOne(`${HEAD}\r\n`))).to.deep.equal([HEAD, HEAD.length + 2]);
  });

  it('reads head after head, also after one that came in pieces', () => {
    const reader = new HeadReader(LIMITS);
    for (let round = 0; round < 3; round++) {
      expect(reader.push(bytesOf(HEAD.slice(0, 20)), 0)).to.equal(-1);
      expect(reader.isWithin).to.equal(true);
      const rest = bytesOf(`${HEAD.slice(20)}\r\n${HEAD}\r\n`);
      const end = reader.push(rest, 0);
      expect([reader.text, reader.isWithin]).to.deep.equal([HEAD, false]);
      expect(reader.push(rest, end)).to.equal(rest.length);
      expect(reader.text).to.equal(HEAD);
    }
  });

  it('RFC 6585 §5: bounds the bytes of a head, whole or in pieces, to the byte', () => {
    const fits = `GET / HTTP/1.1\r\nX: ${'x'.repeat(LIMITS.bytes - 23)}\r\n\r\n`;
    const exceeds = fits.replace('X: ', 'X: x');
    expect(fits).to.have.length(LIMITS.bytes);
    for (const cut of [(text: string) => [bytesOf(text)], oneByOne]) {
      expect(fed(cut(fits))).to.deep.equal([fits.slice(0, -2), LIMITS.bytes]);
      expectFault(() => fed(cut(exceeds)), 'bytes of the head', 'too_large');
      expectFault(() => fed(cut('x'.repeat(LIMITS.bytes))), 'bytes of the head', 'too_large');
    }
  });

  it('does not wait for the end of what can become no head', () => {
    for (const [text, detail] of [
      ['GET / HTTP/1.1\n', 'CR or LF alone'],
      ['GET / HTTP/1.1\r\nHost: a\n\n', 'CR or LF alone'],
      ['GET / HTTP/1.1\rX', 'CR or LF alone'],
      ['GET / HTTP/1.1\r\r', 'CR or LF alone'],
      ['GET /\0', 'control character'],
      ['GET /\x7f', 'control character'],
      ['\x16\x03\x01', 'first byte of a head'],
      ['\r\nGET /', 'first byte of a head'],
      [' GET /', 'first byte of a head'],
    ] as const) {
      expectFault(() => fed([bytesOf(text)]), detail);
      expectFault(() => fed(oneByOne(text)), detail);
    }
  });

  it('shows the first line as soon as it is there, once', () => {
    const lines: string[] = [];
    fed(oneByOne(`${HEAD}\r\n`), { checkStart: (line) => void lines.push(line) });
    expect(lines).to.deep.equal(['GET / HTTP/1.1']);
    expectFault(() => fed([bytesOf('SSH-2.0-OpenSSH_9.6\r\n')], { checkStart: checkRequestLine }), 'method');
    expectFault(() => fed(oneByOne('GET / HTTP/2.0\r\n'), { checkStart: checkRequestLine }), 'HTTP version');
  });

  it('RFC 9112 §2.2: skips one empty line before a head when it may, not two and no half one', () => {
    const options = { skipEmptyLine: true };
    for (const cut of [(text: string) => [bytesOf(text)], oneByOne]) {
      expect(fed(cut(`\r\n${HEAD}\r\n`), options)).to.deep.equal([HEAD, HEAD.length + 4]);
      expectFault(() => fed(cut('\r\n\r\nGET'), options), 'first byte of a head');
      expectFault(() => fed(cut('\rGET'), options), 'CR or LF alone');
      expectFault(() => fed(cut('\nGET'), options), 'first byte of a head');
    }
  });
});
