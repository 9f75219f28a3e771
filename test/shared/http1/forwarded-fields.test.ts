import { expect } from 'chai';
import fc from 'fast-check';
import { requestOf, withFields } from './heads.ts';

/** What goes on beside Host. */
const fieldsOf = (...lines: string[]): string => {
  const { fields } = requestOf(withFields(...lines));
  expect(fields.startsWith('Host: a\r\n')).to.equal(true);
  return fields.slice('Host: a\r\n'.length);
};

const HOP_BY_HOP = [
  'Connection: keep-alive',
  'Keep-Alive: timeout=5',
  'Proxy-Connection: close',
  'TE: trailers',
  'Transfer-Encoding: chunked',
  'Upgrade: h2c',
  'HTTP2-Settings: AAMAAABkAAQAAP__',
  'Proxy-Authenticate: Basic',
  'Proxy-Authorization: Basic eA==',
  'Proxy-Authentication-Info: x',
];

describe('the fields of a head that go on', () => {
  it('are those that came: letter case, order, duplicates and whitespace untouched', () => {
    expect(fieldsOf('x-A:  b ', 'X-a:', 'Accept:\ta', 'x-A: \xe9')).to.equal(
      'x-A:  b \r\nX-a:\r\nAccept:\ta\r\nx-A: \xe9\r\n',
    );
  });

  for (const line of HOP_BY_HOP) {
    it(`RFC 9110 §7.6.1: are without ${line}, in any letter case, wherever it stands`, () => {
      for (const spelt of [line, line.toUpperCase(), line.toLowerCase()]) {
        expect(fieldsOf(spelt, 'A: 1', 'B: 2')).to.equal('A: 1\r\nB: 2\r\n');
        expect(fieldsOf('A: 1', spelt, 'B: 2')).to.equal('A: 1\r\nB: 2\r\n');
        expect(fieldsOf('A: 1', 'B: 2', spelt)).to.equal('A: 1\r\nB: 2\r\n');
      }
    });
  }

  it('RFC 9110 §7.6.1: are without those that Connection lists, before and behind it', () => {
    expect(fieldsOf('X-One: 1', 'Connection: x-one, X-Two', 'X-Two: 2', 'x-one: 3', 'X-Three: 3')).to.equal(
      'X-Three: 3\r\n',
    );
    expect(fieldsOf('Connection: a', 'Connection: b, close', 'A: 1', 'B: 2', 'C: 3')).to.equal('C: 3\r\n');
  });

  it('are with those without which the message means something else, though Connection lists them', () => {
    const kept = fieldsOf('Connection: Content-Length, Host, Expect', 'Content-Length: 1', 'Expect: 100-continue');
    expect(kept).to.equal('Content-Length: 1\r\nExpect: 100-continue\r\n');
  });

  it('still end where Transfer-Encoding says, though Connection lists it', () => {
    expect(requestOf(withFields('Connection: transfer-encoding', 'Transfer-Encoding: chunked')).framing.kind).to.equal(
      'chunked',
    );
  });

  it('are without the names to strip, in any letter case, number and spelling', () => {
    const name = 'x-forwarded-client-cert';
    for (const spelt of [name, name.toUpperCase(), name.replaceAll('-', '_'), 'X_Forwarded-Client_Cert'])
      expect(fieldsOf(`${spelt}: evil`, 'A: 1', `${spelt}:evil`)).to.equal('A: 1\r\n');
    for (const spelt of ['x-own-', 'X-Own-Thing', 'X_OWN_thing']) expect(fieldsOf(`${spelt}: evil`)).to.equal('');
    for (const other of ['x-own', 'x-forwarded-client-certs', 'x-forwarded-client-cer', 'xx-own-a', 'x-forwarded-for'])
      expect(fieldsOf(`${other}: 1`)).to.equal(`${other}: 1\r\n`);
  });

  it('are the lines of the head less some, whatever they are', () => {
    const token = fc.stringMatching(/^[!#$%&'*+.^`|~0-9A-Za-z-]{1,30}$/);
    const value = fc.stringMatching(/^[\t -~\x80-\xff]{0,30}$/);
    const framing = /^(?:host|content.length|transfer.encoding|expect|connection|upgrade|te|trailer|x.request.id)$/i;
    const gone = /^(?:keep-alive|proxy-.*|http2-settings|x[-_]forwarded[-_]client[-_]cert|x[-_]own[-_].*)$/i;
    const plain = fc.tuple(token, value).filter(([name]) => !framing.test(name));
    const known = fc
      .constantFrom('Keep-Alive', 'X-Own-A', 'X_Forwarded_Client_Cert')
      .map((name): [string, string] => [name, ' a']);
    fc.assert(
      fc.property(fc.array(fc.oneof(plain, known), { maxLength: 15 }), (fields) => {
        const lines = fields.map(([name, text]) => `${name}:${text}`);
        const expected = lines.filter((_, at) => !gone.test(fields[at]![0])).map((line) => `${line}\r\n`);
        expect(fieldsOf(...lines)).to.equal(expected.join(''));
      }),
    );
  });
});
