import { expect } from 'chai';
import { checkStatusLine } from '../../../shared/http1/response-head.ts';
import { answerOf, expectFault } from './heads.ts';

const BAD_LINES: readonly (readonly [clause: string, line: string, detail: string])[] = [
  ['RFC 9112 §2.3: no HTTP/2.0', 'HTTP/2.0 200 OK', 'HTTP version'],
  ['RFC 9112 §2.3: no HTTP/1.2', 'HTTP/1.2 200 OK', 'HTTP version'],
  ['RFC 9112 §2.3: the name in capitals', 'http/1.1 200 OK', 'HTTP version'],
  ['RFC 9112 §2.3: no other protocol', 'ICY 200 OK', 'HTTP version'],
  ['RFC 9112 §4: nothing before the version', ' HTTP/1.1 200 OK', 'HTTP version'],
  ['RFC 9112 §4: one SP before the status', 'HTTP/1.1  200 OK', 'status'],
  ['RFC 9112 §4: SP, not HTAB', 'HTTP/1.1\t200 OK', 'status line'],
  ['RFC 9112 §4: three digits, not two', 'HTTP/1.1 20 OK', 'status'],
  ['RFC 9112 §4: three digits, not four', 'HTTP/1.1 2000 OK', 'status line'],
  ['RFC 9112 §4: digits alone', 'HTTP/1.1 2x0 OK', 'status'],
  ['RFC 9112 §4: SP behind the status', 'HTTP/1.1 200\tOK', 'status line'],
  ['RFC 9110 §15: no status below 100', 'HTTP/1.1 099 OK', 'status'],
  ['RFC 9110 §15: no status above 599', 'HTTP/1.1 600 OK', 'status'],
  ['RFC 9112 §4: no NUL in the reason', 'HTTP/1.1 200 O\0K', 'status line'],
  ['RFC 9112 §2.2: no CR alone', 'HTTP/1.1 200 OK\rX: a', 'status line'],
  ['RFC 9112 §2.2: no LF alone', 'HTTP/1.1 200 OK\nX: a', 'status line'],
];

const head = (status: number, ...lines: string[]): string =>
  `HTTP/1.1 ${status} X\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`;

describe('the head of an answer', () => {
  for (const [clause, line, detail] of BAD_LINES) {
    it(`${clause}: refuses ${JSON.stringify(line)}`, () => {
      expectFault(() => answerOf(`${line}\r\n\r\n`), detail);
      expectFault(() => checkStatusLine(line), detail);
    });
  }

  it('RFC 9112 §4: takes any reason, also none, and none without the space before it', () => {
    const reasonOf = (text: string): string => answerOf(`HTTP/1.1 404${text}\r\n\r\n`).reason;
    expect(['', ' ', ' Not Found', '  a\t\xe9'].map(reasonOf)).to.deep.equal(['', '', 'Not Found', ' a\t\xe9']);
    checkStatusLine('HTTP/1.0 404');
  });

  it('RFC 9112 §6.3 (1): has no body to HEAD and with 1xx, 204 and 304, whatever it tells', () => {
    for (const line of ['Content-Length: 5', 'Transfer-Encoding: chunked', 'X: a']) {
      for (const status of [204, 304]) expect(answerOf(head(status, line)).framing.kind).to.equal('none');
      expect(answerOf(head(200, line), 'HEAD').framing.kind).to.equal('none');
    }
    expect(answerOf(head(103)).framing.kind).to.equal('none');
  });

  it('RFC 9112 §6.3 (2): has no body when it opens a tunnel', () => {
    expect(answerOf(head(200, 'Content-Length: 5'), 'CONNECT').framing.kind).to.equal('none');
    expect(answerOf(head(404, 'Content-Length: 5'), 'CONNECT').framing.kind).to.equal('length');
  });

  it('RFC 9112 §6.3 (8): without a length its body ends with the connection, which serves no other then', () => {
    expect(answerOf(head(200))).to.deep.include({ framing: { kind: 'close', length: 0 }, keepAlive: false });
    expect(answerOf(head(200), 'HEAD').keepAlive).to.equal(true);
    expect(answerOf(head(200, 'Content-Length: 0'))).to.deep.include({
      framing: { kind: 'none', length: 0 },
      keepAlive: true,
    });
    expect(answerOf(head(200, 'Content-Length: 7')).framing).to.deep.equal({ kind: 'length', length: 7 });
    expect(answerOf(head(200, 'Transfer-Encoding: Chunked')).framing.kind).to.equal('chunked');
  });

  it('RFC 9112 §6.1, §6.3: refuses lengths that have no one meaning, also where there is no body', () => {
    for (const status of [200, 204, 304]) {
      expectFault(() => answerOf(head(status, 'Content-Length: 1', 'Content-Length: 1')), 'several Content-Length');
      expectFault(
        () => answerOf(head(status, 'Content-Length: 1', 'Transfer-Encoding: chunked')),
        'Content-Length beside Transfer-Encoding',
      );
      expectFault(() => answerOf(head(status, 'Transfer-Encoding: gzip, chunked')), 'Transfer-Encoding');
      expectFault(() => answerOf(head(status, 'Content-Length: 1, 1')), 'Content-Length');
    }
    expectFault(
      () => answerOf('HTTP/1.0 200 X\r\nTransfer-Encoding: chunked\r\n\r\n'),
      'Transfer-Encoding in HTTP/1.0',
    );
  });

  it('RFC 9110 §8.6, RFC 9112 §6.1: refuses a length in an interim answer', () => {
    for (const line of ['Content-Length: 0', 'Content-Length: 5', 'Transfer-Encoding: chunked'])
      expectFault(() => answerOf(head(103, line)), 'a length in an interim answer');
  });

  it('RFC 9110 §15.2: refuses an interim answer in HTTP/1.0, which has none', () => {
    for (const status of [100, 101, 103])
      expectFault(() => answerOf(`HTTP/1.0 ${status} X\r\n\r\n`), 'an interim answer in HTTP/1.0');
  });

  it('RFC 9110 §2.5, RFC 9112 §4: goes on as HTTP/1.1, with the space that some leave out, and else as it came', () => {
    const startOf = (line: string): [string, string] => {
      const { statusLine, kept } = answerOf(`${line}\r\nX: a\r\n\r\n`);
      return [statusLine, kept.startLine];
    };
    expect(startOf('HTTP/1.1 200 All  well')).to.deep.equal(['', 'HTTP/1.1 200 All  well']);
    expect(startOf('HTTP/1.1 200 ')).to.deep.equal(['', 'HTTP/1.1 200 ']);
    expect(startOf('HTTP/1.1 200')[0]).to.equal('HTTP/1.1 200 ');
    expect(startOf('HTTP/1.0 404 No')[0]).to.equal('HTTP/1.1 404 No');
    expect(startOf('HTTP/1.0 404')[0]).to.equal('HTTP/1.1 404 ');
  });

  it('RFC 9110 §8.6: tells no length of a 204, and trusts the connection no more when it was one of a body', () => {
    expect(answerOf(head(204, 'Content-Length: 0', 'X: a'))).to.include({ fields: 'X: a\r\n', keepAlive: true });
    expect(answerOf(head(204, 'Content-Length: 5'))).to.include({ fields: '', keepAlive: false });
    expect(answerOf(head(204, 'Transfer-Encoding: chunked'))).to.include({ fields: '', keepAlive: false });
    // A 304 and an answer to HEAD tell the length of what would have been sent.
    expect(answerOf(head(304, 'Content-Length: 5'))).to.include({ fields: 'Content-Length: 5\r\n', keepAlive: true });
    expect(answerOf(head(200, 'Content-Length: 5'), 'HEAD').fields).to.equal('Content-Length: 5\r\n');
  });

  it('RFC 9110 §7.8: says to what it switches', () => {
    expect(answerOf(head(101, 'Connection: upgrade', 'Upgrade: WebSocket')).upgrade).to.equal('websocket');
    for (const lines of [[], ['Upgrade: websocket'], ['Connection: upgrade']])
      expectFault(() => answerOf(head(101, ...lines)), 'Upgrade');
    expect(answerOf(head(426, 'Connection: upgrade', 'Upgrade: a')).upgrade).to.equal('');
  });

  it('RFC 9112 §9.3: keeps its connection by version and by what Connection lists', () => {
    const persists = (minor: number, ...lines: string[]): boolean =>
      answerOf(`HTTP/1.${minor} 200 X\r\nContent-Length: 1\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`)
        .keepAlive;
    expect(persists(1)).to.equal(true);
    expect(persists(1, 'Connection: close')).to.equal(false);
    expect(persists(0)).to.equal(false);
    expect(persists(0, 'Connection: keep-alive')).to.equal(true);
  });

  it('goes on without what belongs to the connection and without the names to strip', () => {
    const { fields } = answerOf(
      head(200, 'X-Own-A: evil', 'A: 1', 'Connection: x-b', 'X-B: 2', 'Trailer: x', 'Content-Length: 1'),
    );
    expect(fields).to.equal('A: 1\r\nContent-Length: 1\r\n');
    expect(answerOf(head(200, 'Trailer: x', 'Transfer-Encoding: chunked'))).to.include({
      trailers: true,
      fields: 'Trailer: x\r\n',
    });
  });

  it('says whether it is gRPC, and how that ended when it says so itself', () => {
    expect(answerOf(head(200, 'Content-Type: application/grpc+proto', 'Grpc-Status: 5'))).to.include({
      isGrpc: true,
      grpcStatus: '5',
    });
    expect(answerOf(head(200, 'Content-Type: text/plain'))).to.include({ isGrpc: false, grpcStatus: '' });
  });
});
