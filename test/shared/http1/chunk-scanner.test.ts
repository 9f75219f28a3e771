import { expect } from 'chai';
import fc from 'fast-check';
import { ChunkScanner } from '../../../shared/http1/chunk-scanner.ts';
import { FieldNames } from '../../../shared/http1/field-names.ts';
import { expectFault } from './heads.ts';

const LIMITS = { extensionBytes: 64, trailerBytes: 256, trailerFields: 4 };
const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1');
const oneByOne = (text: string): Buffer[] => Array.from(bytesOf(text), (byte) => Buffer.of(byte));

interface Scanned {
  readonly bytes: number;
  readonly done: boolean;
  readonly data: string;
  readonly trailers: string;
}

function scanned(pieces: readonly Buffer[]): Scanned {
  let data = '';
  const scanner = new ChunkScanner(LIMITS, {
    forbidden: new FieldNames(['x-own-*']),
    onData: (bytes, from, to) => {
      data += bytes.toString('latin1', from, to);
    },
  });
  let bytes = 0;
  for (const piece of pieces) bytes += scanner.scan(piece, 0);
  return { bytes, done: scanner.isDone, data, trailers: scanner.trailers };
}

const whole = (text: string): Scanned => scanned([bytesOf(text)]);

const BAD: readonly (readonly [clause: string, text: string, detail: string])[] = [
  ['RFC 9112 §7.1: a size is there', '\r\nx\r\n0\r\n\r\n', 'chunk size'],
  ['RFC 9112 §7.1: a size is hexadecimal', 'g\r\n', 'chunk size'],
  ['RFC 9112 §7.1: no 0x', '0x1\r\nx\r\n', 'chunk size'],
  ['RFC 9112 §7.1: no sign', '+1\r\nx\r\n', 'chunk size'],
  ['RFC 9112 §7.1: no minus', '-1\r\nx\r\n', 'chunk size'],
  ['RFC 9112 §7.1: no space before', ' 1\r\nx\r\n', 'chunk size'],
  ['RFC 9112 §7.1: no space behind', '1 \r\nx\r\n', 'chunk size'],
  ['RFC 9112 §7.1: no HTAB behind', '1\t\r\nx\r\n', 'chunk size'],
  ['RFC 9112 §7.1: no underscore', '1_0\r\n', 'chunk size'],
  ['RFC 9112 §7.1: at most 2^48', '1000000000001\r\n', 'chunk size'],
  ['RFC 9112 §7.1: no overflow of 64 bits', 'fffffffffffffffff1\r\nx\r\n', 'chunk size'],
  ['RFC 9112 §7.1: no line of zeros without end', `${'0'.repeat(17)}\r\n`, 'chunk size'],
  ['RFC 9112 §2.2: no LF alone', '1\nx\r\n', 'chunk size'],
  ['RFC 9112 §2.2: no CR alone', '1\rx\r\n', 'chunk size line'],
  ['RFC 9112 §7.1: data ends where its size says', '1\r\nxy\r\n', 'end of a chunk'],
  ['RFC 9112 §7.1: data is not shorter', '2\r\nx\r\n0\r\n\r\n', 'end of a chunk'],
  ['RFC 9112 §7.1: LF alone behind data', '1\r\nx\n0\r\n\r\n', 'end of a chunk'],
  ['RFC 9112 §7.1: CR alone behind data', '1\r\nx\r0\r\n\r\n', 'end of a chunk'],
  ['RFC 9112 §7.1.1: an extension has a name', '1;\r\nx\r\n', 'chunk extension'],
  ['RFC 9112 §7.1.1: an extension has no whitespace', '1; a\r\nx\r\n', 'chunk extension'],
  ['RFC 9112 §7.1.1: a value is there', '1;a=\r\nx\r\n', 'chunk extension'],
  ['RFC 9112 §7.1.1: no LF alone behind an extension', '1;a\nx\r\n', 'chunk extension'],
  ['RFC 9112 §7.1.1: no CR alone in an extension', '1;a\rb\r\nx\r\n', 'chunk size line'],
  ['RFC 9112 §7.1.1: no LF in a quoted value', '1;a="\n"\r\nx\r\n', 'chunk extension'],
  ['RFC 9112 §7.1.1: no CR LF in a quoted value', '1;a="\r\n"\r\nx\r\n', 'chunk extension'],
  ['RFC 9112 §7.1.1: nothing behind a quoted value', '1;a="b"c\r\nx\r\n', 'chunk extension'],
  ['RFC 9112 §7.1.2: no LF alone instead of the empty line', '0\r\n\n', 'first byte of a head'],
  ['RFC 9112 §7.1.2: no CR alone instead of the empty line', '0\r\n\rx', 'end of a chunked body'],
  ['RFC 9112 §5.1: no space before a trailer’s colon', '0\r\nX : a\r\n\r\n', 'field name'],
  ['RFC 9112 §5.2: no fold in trailers', '0\r\nX: a\r\n b\r\n\r\n', 'field name'],
  ['RFC 9112 §2.2: no LF alone in trailers', '0\r\nX: a\nY: b\r\n\r\n', 'field value'],
  ['RFC 9110 §5.5: no NUL in trailers', '0\r\nX: \0\r\n\r\n', 'field value'],
];

/** RFC 9110 §6.5.1: what frames, routes, authenticates or modifies, and what is ours. */
const FORBIDDEN = [
  'Content-Length',
  'transfer-encoding',
  'HOST',
  'Trailer',
  'TE',
  'Connection',
  'Upgrade',
  'Keep-Alive',
  'Proxy-Authorization',
  'Authorization',
  'Cookie',
  'Set-Cookie',
  'Content-Type',
  'Content_Length',
  'Transfer_Encoding',
  'Expect',
  'If-Match',
  'X-Forwarded-Client-Cert',
  'x_forwarded_for',
  'X-Own-A',
  'x_own_a',
];

describe('ChunkScanner', () => {
  it('finds the end of a body, and nothing behind it', () => {
    expect(whole('5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\nGET /')).to.deep.equal({
      bytes: 30,
      done: true,
      data: 'hello0123456789',
      trailers: '',
    });
    expect(whole('0\r\n\r\n')).to.include({ bytes: 5, done: true });
    expect(whole('000\r\n\r\n')).to.include({ done: true });
  });

  it('takes data for data, whatever it looks like', () => {
    const text = '0\r\n\r\nGET / HTTP/1.1\r\n\r\n';
    expect(whole(`${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`).data).to.equal(text);
  });

  it('says the same of any pieces as of the whole', () => {
    const data = fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 40 });
    const extension = fc.constantFrom('', '', ';a', ';a=b', ';a="b;\\"c"');
    const chunk = fc.tuple(data, extension);
    const trailers = fc.constantFrom('', '', 'X: a\r\n', 'X: a\r\nY:\r\n');
    fc.assert(
      fc.property(
        fc.array(chunk, { maxLength: 5 }),
        trailers,
        fc.integer({ min: 1, max: 9 }),
        (chunks, trailer, step) => {
          const body = chunks.map(([text, words]) => `${text.length.toString(16)}${words}\r\n${text}\r\n`).join('');
          const text = `${body}0\r\n${trailer}\r\n`;
          const expected = {
            bytes: text.length,
            done: true,
            data: chunks.map(([one]) => one).join(''),
            trailers: trailer,
          };
          const bytes = bytesOf(`${text}GET / HTTP/1.1`);
          const pieces = Array.from({ length: Math.ceil(bytes.length / step) }, (_, at) =>
            bytes.subarray(at * step, (at + 1) * step),
          );
          expect(scanned([bytes])).to.deep.equal(expected);
          expect(scanned(pieces)).to.deep.equal(expected);
          for (let end = 0; end < text.length; end++) expect(scanned([bytes.subarray(0, end)]).done).to.equal(false);
        },
      ),
      { numRuns: 50 },
    );
  });

  for (const [clause, text, detail] of BAD) {
    it(`${clause}: refuses ${JSON.stringify(text.slice(0, 30))}`, () => {
      expectFault(() => whole(text), detail);
      // Byte by byte it may be seen sooner.
      expect(() => scanned(oneByOne(text))).to.throw();
    });
  }

  for (const name of FORBIDDEN) {
    it(`RFC 9110 §6.5.1: refuses the trailer ${name}`, () => {
      expectFault(() => whole(`0\r\nX-Sum: 1\r\n${name}: 1\r\n\r\n`), 'trailer');
    });
  }

  it('keeps other trailers as they came', () => {
    const trailers = 'X-Sum: 1\r\ngrpc-status:0\r\nx-sum:\t\xe9\r\n';
    expect(whole(`0\r\n${trailers}\r\n`)).to.include({ done: true, trailers });
    expect(scanned(oneByOne(`0\r\n${trailers}\r\n`))).to.include({ done: true, trailers });
  });

  it('takes sizes up to 2^48', () => {
    expect(whole('1000000000000\r\n')).to.include({ bytes: 15, done: false });
  });

  it('bounds extensions over the whole body, and trailers in bytes and number', () => {
    const chunk = (bytes: number): string => `1;${'a'.repeat(bytes)}\r\nx\r\n`;
    expect(whole(chunk(20) + chunk(20)).done).to.equal(false);
    expectFault(() => whole(chunk(32) + chunk(32)), 'chunk extensions', 'too_large');
    expectFault(() => whole(`0\r\n${'X: a\r\n'.repeat(5)}\r\n`), 'number of trailers', 'too_large');
    for (const end of ['\r\n\r\n', ''])
      expectFault(() => whole(`0\r\nX: ${'a'.repeat(300)}${end}`), 'bytes of the head', 'too_large');
  });
});
