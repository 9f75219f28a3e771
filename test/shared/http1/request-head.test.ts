import { expect } from 'chai';
import fc from 'fast-check';
import { checkRequestLine } from '../../../shared/http1/request-head.ts';
import { expectFault, LIMITS, requestOf, withFields } from './heads.ts';

/** Start lines with the reason of their refusal. */
const BAD_LINES: readonly (readonly [clause: string, line: string, detail: string])[] = [
  ['RFC 9112 §2.3: no HTTP/0.9', 'GET /', 'request target'],
  ['RFC 9112 §2.3: no HTTP/1.2', 'GET / HTTP/1.2', 'HTTP version'],
  ['RFC 9112 §2.3: no HTTP/2.0', 'GET / HTTP/2.0', 'HTTP version'],
  ['RFC 9112 §2.3: the name in capitals', 'GET / http/1.1', 'HTTP version'],
  ['RFC 9112 §2.3: one digit', 'GET / HTTP/1.10', 'request line'],
  ['RFC 9112 §2.3: not without its minor', 'GET / HTTP/1', 'HTTP version'],
  ['RFC 9112 §3: nothing behind the version', 'GET / HTTP/1.1 ', 'request line'],
  ['RFC 9112 §3: nothing before the method', ' GET / HTTP/1.1', 'method'],
  ['RFC 9112 §3: one SP behind the method', 'GET  / HTTP/1.1', 'request target'],
  ['RFC 9112 §3: one SP behind the target', 'GET /  HTTP/1.1', 'HTTP version'],
  ['RFC 9112 §3: SP, not HTAB', 'GET\t/ HTTP/1.1', 'method'],
  ['RFC 9112 §3: SP, not HTAB, behind the target', 'GET /\tHTTP/1.1', 'request target'],
  ['RFC 9110 §9.1: the method is a token', 'G(T / HTTP/1.1', 'method'],
  ['RFC 9110 §9.1: the method is not empty', ' / HTTP/1.1', 'method'],
  ['RFC 9110 §9.1: the method is bounded', `${'A'.repeat(33)} / HTTP/1.1`, 'method'],
  ['RFC 9113 §11.6: PRI is for HTTP/2', 'PRI * HTTP/1.1', 'method'],
  ['RFC 9112 §3.2: no space in the target', 'GET /a b HTTP/1.1', 'HTTP version'],
  ['RFC 9112 §3.2: no NUL in the target', 'GET /a\0 HTTP/1.1', 'request target'],
  ['RFC 9112 §3.2: no CR in the target', 'GET /a\rb HTTP/1.1', 'request target'],
  ['RFC 9112 §3.2: no DEL in the target', 'GET /a\x7f HTTP/1.1', 'request target'],
  ['RFC 3986 §2: no byte beyond ASCII in the target', 'GET /\xe9 HTTP/1.1', 'request target'],
  ['RFC 9110 §7.1: no fragment', 'GET /a#b HTTP/1.1', 'request target'],
  ['RFC 9112 §3.2.1: a path begins with a slash', 'GET a HTTP/1.1', 'request target'],
  ['RFC 9112 §3.2.2: no userinfo in an absolute target', 'GET http://x@a/ HTTP/1.1', 'request target'],
  ['RFC 9112 §3.2.2: no empty authority', 'GET http:///a HTTP/1.1', 'request target'],
  ['RFC 9112 §3.2.2: the authority of Host', 'GET http://b/ HTTP/1.1', 'request target'],
  ['RFC 9112 §3.2.2: the port of Host', 'GET http://a:80/ HTTP/1.1', 'request target'],
  ['RFC 9110 §4.2: no other scheme', 'GET ftp://a/ HTTP/1.1', 'request target'],
  ['RFC 9112 §3.2.3: authority-form is for CONNECT', 'GET a:80 HTTP/1.1', 'request target'],
  ['RFC 9112 §3.2.3: CONNECT has authority-form', 'CONNECT /a HTTP/1.1', 'request target'],
  ['RFC 9110 §9.3.6: CONNECT needs a port', 'CONNECT a HTTP/1.1', 'request target'],
  ['RFC 9112 §3.2.4: the asterisk is for OPTIONS', 'GET * HTTP/1.1', 'request target'],
];

const BAD_FIELDS: readonly (readonly [clause: string, lines: readonly string[], detail: string])[] = [
  ['RFC 9112 §5: a name is a token', ['X(: a'], 'field name'],
  ['RFC 9112 §5: a name has no NUL', ['X\0: a'], 'field name'],
  ['RFC 9112 §5: a name is ASCII', ['X\xe9: a'], 'field name'],
  ['RFC 9112 §5: a name is not empty', [': a'], 'field name'],
  ['RFC 9112 §5: a line has a colon', ['X'], 'field name'],
  ['RFC 9112 §5.1: no space before the colon', ['X : a'], 'field name'],
  ['RFC 9112 §5.1: no HTAB before the colon', ['X\t: a'], 'field name'],
  ['RFC 9112 §5.2: no fold by SP', ['X: a', ' b'], 'field name'],
  ['RFC 9112 §5.2: no fold by HTAB', ['X: a', '\tb: c'], 'field name'],
  ['RFC 9110 §5.5: no NUL in a value', ['X: a\0b'], 'field value'],
  ['RFC 9110 §5.5: no vertical tab in a value', ['X: \x0ba'], 'field value'],
  ['RFC 9110 §5.5: no DEL in a value', ['X: \x7f'], 'field value'],
  ['RFC 9112 §2.2: no CR alone', ['X: a\rY: b'], 'field value'],
  ['RFC 9112 §2.2: no LF alone', ['X: a\nY: b'], 'field value'],
  ['RFC 9112 §2.2: CR LF, not CR CR LF', ['X: a\r'], 'field value'],
  ['RFC 9112 §3.2: not two Hosts', ['Host: a'], 'Host'],
  ['RFC 9112 §6.3 (5): not two lengths', ['Content-Length: 1', 'Content-Length: 2'], 'several Content-Length'],
  ['RFC 9112 §6.3 (5): not even equal ones', ['Content-Length: 1', 'content-length: 1'], 'several Content-Length'],
  [
    'RFC 9112 §6.1: not both lengths',
    ['Content-Length: 1', 'Transfer-Encoding: chunked'],
    'Content-Length beside Transfer-Encoding',
  ],
  [
    'RFC 9112 §6.1: nor in the other order',
    ['Transfer-Encoding: chunked', 'Content-Length: 0'],
    'Content-Length beside Transfer-Encoding',
  ],
  [
    'RFC 9112 §7.1: chunked once',
    ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'],
    'several Transfer-Encoding',
  ],
  ['to CGI a length', ['Content_Length: 1'], 'a framing field in disguise'],
  ['to CGI a coding', ['TRANSFER_ENCODING: chunked'], 'a framing field in disguise'],
  ['RFC 9110 §10.1.1: one expectation', ['Expect: x'], 'Expect'],
  ['RFC 9110 §10.1.1: no list of them', ['Expect: 100-continue, x'], 'Expect'],
  ['RFC 9110 §10.1.1: not twice', ['Expect: 100-continue', 'Expect: 100-continue'], 'several Expect'],
  ['RFC 9110 §7.6.1: options are tokens', ['Connection: close;'], 'Connection'],
  ['RFC 9110 §7.8: protocols are tokens', ['Upgrade: a b'], 'Upgrade'],
];

const BAD_LENGTHS = [
  '',
  '+1',
  '-1',
  '1 1',
  '1,1',
  '1, 1',
  '0x1',
  '1.0',
  '1e3',
  '01',
  '00',
  'a',
  '٣',
  '9007199254740992',
  '9'.repeat(17),
  '9'.repeat(400),
];
const BAD_CODINGS = [
  'gzip',
  'gzip, chunked',
  'chunked, gzip',
  'chunked, chunked',
  'identity',
  'xchunked',
  'chunked;a',
  '"chunked"',
  'chunked,',
  ',chunked',
  '',
  'chun ked',
];
const BAD_HOSTS = [
  '',
  ' ',
  'a, b',
  'a b',
  'a@b',
  'a/b',
  'a?b',
  'a#b',
  'a:x',
  'a:123456',
  'a:b:1',
  ':80',
  '[::1',
  '[g]',
  '[::1]x',
  '[]',
  'a\\b',
  'é',
  'a'.repeat(256),
];

describe('the head of a request', () => {
  for (const [clause, line, detail] of BAD_LINES) {
    it(`${clause}: refuses ${JSON.stringify(line.slice(0, 40))}`, () => {
      expectFault(() => requestOf(`${line}\r\nHost: a\r\n\r\n`), detail);
      // By the first line alone it is refused for the same reason, or not at all for reasons that stand elsewhere.
      if (/HTTP version|request line/.test(detail)) expectFault(() => checkRequestLine(line), detail);
    });
  }

  for (const [clause, lines, detail] of BAD_FIELDS) {
    it(`${clause}: refuses ${JSON.stringify(lines.join('|'))}`, () => {
      expectFault(() => requestOf(withFields(...lines)), detail);
    });
  }

  it('RFC 9112 §2.2: has no line before it', () => {
    expectFault(() => requestOf('\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n'), 'method');
  });

  it('RFC 9112 §2.2: refuses whitespace between the start line and the first field', () => {
    expectFault(() => requestOf('GET / HTTP/1.1\r\n Host: a\r\n\r\n'), 'field name');
  });

  it('RFC 9112 §2.2: refuses LF alone behind the start line', () => {
    expectFault(() => requestOf('GET / HTTP/1.1\nHost: a\r\n\r\n'), 'request line');
  });

  it('RFC 9110 §8.6: takes only plain decimal numbers for a length', () => {
    for (const length of BAD_LENGTHS)
      expectFault(() => requestOf(withFields(`Content-Length: ${length}`)), 'Content-Length');
    for (const length of ['0', '7', '9007199254740991'])
      expect(requestOf(withFields(`Content-Length:${length} `)).framing.length).to.equal(Number(length));
  });

  it('RFC 9110 §5.6.3: takes no HTAB around what frames, though it may stand around other values', () => {
    for (const line of ['Content-Length:\t1', 'Content-Length: 1\t', 'Transfer-Encoding: chunked\t'])
      expectFault(() => requestOf(withFields(line)), 'HTAB in a framing field');
    expect(requestOf(withFields('X:\ta\t')).fields).to.include('\r\nX:\ta\t\r\n');
  });

  it('RFC 9112 §6.1: takes no coding but chunked, in any letter case', () => {
    for (const coding of BAD_CODINGS)
      expectFault(() => requestOf(withFields(`Transfer-Encoding: ${coding}`)), 'Transfer-Encoding');
    for (const coding of ['chunked', 'Chunked', 'CHUNKED'])
      expect(requestOf(withFields(`Transfer-Encoding:${coding}`)).framing).to.deep.equal({
        kind: 'chunked',
        length: 0,
      });
  });

  it('RFC 9112 §6.1: takes no coding in HTTP/1.0', () => {
    const text = 'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
    expectFault(() => requestOf(text), 'Transfer-Encoding in HTTP/1.0');
  });

  it('RFC 9112 §6.3: without a length there is no body, whatever the method', () => {
    for (const method of ['GET', 'POST', 'PUT', 'X'])
      expect(requestOf(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`).framing).to.deep.equal({ kind: 'none', length: 0 });
    expect(requestOf(withFields('Content-Length: 0')).framing.kind).to.equal('none');
    expect(requestOf(withFields('Content-Length: 5')).framing).to.deep.equal({ kind: 'length', length: 5 });
  });

  it('RFC 9110 §9.3.6: lets no CONNECT tell a length', () => {
    const connect = (line: string): string => `CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n${line}\r\n`;
    for (const line of ['Content-Length: 0\r\n', 'Transfer-Encoding: chunked\r\n'])
      expectFault(() => requestOf(connect(line)), 'a length in CONNECT');
    expect(requestOf(connect('')).target).to.equal('a:80');
  });

  it('RFC 9112 §3.2: needs one valid Host in HTTP/1.1, and no second one in HTTP/1.0', () => {
    expectFault(() => requestOf('GET / HTTP/1.1\r\n\r\n'), 'Host');
    expect(requestOf('GET / HTTP/1.0\r\n\r\n').host).to.equal('');
    expectFault(() => requestOf('GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n'), 'Host');
    for (const host of BAD_HOSTS) {
      const bytes = Buffer.from(host).toString('latin1');
      expectFault(() => requestOf(`GET / HTTP/1.1\r\nHost: ${bytes}\r\n\r\n`), 'Host');
    }
    for (const host of ['a', 'A.b-c_d:8080', '127.0.0.1', '[::1]', '[::1]:80', 'a:', 'a%20b', `${'a'.repeat(255)}:1`])
      expect(requestOf(`GET / HTTP/1.1\r\nHost: ${host} \r\n\r\n`).host).to.equal(host);
  });

  it('RFC 9112 §3.2: takes each form of target where it belongs, and leaves it as it came', () => {
    const targetOf = (line: string): string => requestOf(`${line} HTTP/1.1\r\nHost: a\r\n\r\n`).target;
    expect(targetOf('GET /a/../%2e?b=/c"|{}')).to.equal('/a/../%2e?b=/c"|{}');
    expect(targetOf('GET HTTP://A/x?y')).to.equal('HTTP://A/x?y');
    expect(targetOf('GET https://a')).to.equal('https://a');
    expect(targetOf('OPTIONS *')).to.equal('*');
    expect(targetOf('GET //b/c')).to.equal('//b/c');
  });

  it('RFC 9112 §9.3: persists by version and by what Connection lists', () => {
    const persists = (minor: number, ...values: string[]): boolean => {
      const lines = values.map((value) => `Connection: ${value}\r\n`).join('');
      return requestOf(`GET / HTTP/1.${minor}\r\nHost: a\r\n${lines}\r\n`).keepAlive;
    };
    expect(persists(1)).to.equal(true);
    expect(persists(1, 'x, Close')).to.equal(false);
    expect(persists(1, 'keep-alive', 'CLOSE')).to.equal(false);
    expect(persists(0)).to.equal(false);
    expect(persists(0, 'Keep-Alive')).to.equal(true);
    expect(persists(0, ' keep-alive ,, x')).to.equal(true);
    expect(persists(0, 'keep-alive, close')).to.equal(false);
  });

  it('RFC 9110 §10.1.1: knows 100-continue in any letter case, of HTTP/1.1 only', () => {
    const of = (minor: number) => requestOf(`PUT / HTTP/1.${minor}\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n`);
    expect([of(1).expectsContinue, of(1).fields]).to.deep.equal([true, 'Host: a\r\nExpect: 100-Continue\r\n']);
    expect([of(0).expectsContinue, of(0).fields]).to.deep.equal([false, 'Host: a\r\n']);
  });

  it('RFC 9110 §7.8: an upgrade needs both fields and HTTP/1.1', () => {
    expect(requestOf(withFields('Upgrade: WebSocket', 'Connection: Upgrade')).upgrade).to.equal('websocket');
    expect(requestOf(withFields('Connection: x, upgrade', 'Upgrade: h2c', 'Upgrade: a/1')).upgrade).to.equal('h2c,a/1');
    expect(requestOf(withFields('Upgrade: websocket')).upgrade).to.equal('');
    expect(requestOf(withFields('Connection: upgrade')).upgrade).to.equal('');
    const old = 'GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: a\r\n\r\n';
    expect([requestOf(old).upgrade, requestOf(old).fields]).to.deep.equal(['', 'Host: a\r\n']);
  });

  it('RFC 9110 §6.6.2, §10.1.4: tells of trailers, and keeps Trailer only where they can be', () => {
    expect(requestOf(withFields('TE: gzip, trailers'))).to.include({
      trailers: true,
      wantsTrailers: true,
      fields: 'Host: a\r\n',
    });
    expect(requestOf(withFields('Trailer: x'))).to.include({ trailers: false, fields: 'Host: a\r\n' });
    const chunked = requestOf(withFields('Trailer: x', 'Transfer-Encoding: chunked'));
    expect(chunked).to.include({ trailers: true, wantsTrailers: false, fields: 'Host: a\r\nTrailer: x\r\n' });
  });

  it('takes a request id only when there is one that may go into a log', () => {
    expect(requestOf(withFields('X-Request-Id: a-1'))).to.include({
      requestId: 'a-1',
      fields: 'Host: a\r\nX-Request-Id: a-1\r\n',
    });
    for (const lines of [
      ['X-Request-Id: a b'],
      ['X-Request-Id: '],
      ['x-request-id: a', 'X-Request-Id: a'],
      [`X-Request-Id: ${'a'.repeat(129)}`],
    ])
      expect(requestOf(withFields(...lines))).to.include({ requestId: '', fields: 'Host: a\r\n' });
  });

  it('RFC 6585 §5: bounds the number of fields', () => {
    const lines = Array.from({ length: LIMITS.fields - 1 }, () => 'X: a');
    expect(requestOf(withFields(...lines)).fields).to.have.length(9 + 6 * lines.length);
    expectFault(() => requestOf(withFields(...lines, 'X: a')), 'number of fields', 'too_large');
  });

  it('never says a byte of what came', () => {
    const said = new Set<string>();
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii', maxLength: 60 }), (text) => {
        try {
          requestOf(`${text.replaceAll('\r\n\r\n', '')}secret\r\n\r\n`);
        } catch (error) {
          said.add((error as Error).message);
        }
      }),
    );
    expect([...said].filter((words) => words.includes('secret'))).to.deep.equal([]);
    expect(said.size).to.be.greaterThan(0);
  });
});
