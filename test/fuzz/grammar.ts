/** Messages as the grammar of RFC 9112 has them, and some as it nearly has them, by chance. */
import type { Chance } from './chance.ts';

const METHODS = ['GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE', 'CONNECT', 'PRI', 'QUERY', 'get'];
const TARGETS = [
  '/',
  '/a/b?c=d',
  '/%00?x',
  '*',
  'http://a/x',
  'http://b/',
  'a:80',
  '//a',
  '/a#b',
  '/"<>|{}',
  'x',
  '/é',
];
const HOSTS = ['a', 'a', 'a', 'a:80', 'A', '[::1]:8080', '127.0.0.1', 'x_y.z', '', 'a, b', 'a@b', 'a/b', 'a:b'];
const NAMES = [
  'X-Plain',
  'x-plain',
  'Referer',
  'Date',
  'X-B3-TraceId',
  'Accept-Encoding',
  'ETag',
  'Vary',
  'Accept',
  'Cookie',
  'User-Agent',
  'X-Request-Id',
  'X-Forwarded-Client-Cert',
  'x_forwarded_client_cert',
  'X-Spiffe-Id',
  'Content_Length',
  'Transfer_Encoding',
  'Keep-Alive',
  'Proxy-Connection',
  'TE',
  'Trailer',
  'Upgrade',
  'HTTP2-Settings',
  'Content-Type',
  '!#$%&x',
];
const VALUES = ['', 'a', 'a b', ' a', 'a\t', '\xe9\xff', '"q"', 'a,b', 'trailers', 'websocket', 'h2c', 'x'.repeat(200)];
const CONNECTIONS = [
  'close',
  'keep-alive',
  'Keep-Alive',
  'upgrade',
  'x-plain',
  'Content-Length, Host',
  'close, TE',
  ',',
];
const CODINGS = ['chunked', 'Chunked', 'gzip', 'gzip, chunked', 'chunked, chunked', 'identity', ' chunked', 'xchunked'];
const LENGTHS = ['0', '5', '05', '+5', '5 ', '5, 5', '', '0x5', '9007199254740993', '99999999999999999999', '-1', '5a'];
const EXTENSIONS = [';a', ';a=b', ';a="b;c"', ';a="b\\"c"', ' ;a', '; a', ';', ';a=', ';a=b;c=d', ';a="\xe9"'];
const TRAILERS = ['X-Sum: 1', 'Content-Length: 5', 'Host: b', 'x-spiffe-id: a', 'X-Sum : 1', ' fold', 'X: \xe9'];
const STATUSES = ['200', '200', '201', '204', '304', '404', '100', '103', '101', '099', '600', '20', '2000'];
const REASONS = [' OK', ' OK', ' ', '', '  two', ' \xe9', '\tTab'];

export const SENTINEL = 'GET /sentinel HTTP/1.1\r\nHost: s\r\n\r\n';

/** A request and its body, and behind it another one, which shows where a reader saw the first one end. */
export function requestText(chance: Chance): string {
  const version = chance.holds(0.85) ? 'HTTP/1.1' : chance.of(['HTTP/1.0', 'HTTP/1.2', 'HTTP/2.0', 'http/1.1']);
  const line = `${usual(chance, 'POST', METHODS)} ${usual(chance, '/x', TARGETS)} ${version}\r\n`;
  const hosts = chance.holds(0.95) ? `Host: ${usual(chance, 'a', HOSTS)}\r\n` : chance.several(2, () => 'Host: a\r\n');
  const expect = chance.holds(0.05) ? `Expect: ${chance.of(['100-continue', '100-Continue', 'x'])}\r\n` : '';
  const [framing, body] = framed(chance);
  const fields = shuffled(chance, [hosts, expect, framing, connection(chance), otherFields(chance)]);
  return `${line}${fields}\r\n${body}${SENTINEL}`;
}

/** An answer, sometimes with interim ones before it. */
export function answerText(chance: Chance): string {
  const interim = chance.holds(0.1) ? chance.several(2, () => 'HTTP/1.1 103 Early\r\nLink: a\r\n\r\n') : '';
  const version = chance.holds(0.85) ? 'HTTP/1.1' : chance.of(['HTTP/1.0', 'HTTP/1.2', 'HTTP/2.0', 'HTTP/11']);
  const status = chance.holds(0.5) ? '200' : chance.of(STATUSES);
  const line = `${version} ${status}${usual(chance, ' OK', REASONS)}\r\n`;
  const [framing, body] = chance.holds(0.15) ? ['', 'until the end'] : framed(chance);
  const grpc = chance.holds(0.1) ? 'Content-Type: application/grpc+proto\r\ngrpc-status: 0\r\n' : '';
  return `${interim}${line}${shuffled(chance, [framing, connection(chance), otherFields(chance), grpc])}\r\n${body}`;
}

function framed(chance: Chance): [fields: string, body: string] {
  if (chance.holds(0.25)) return ['', ''];
  if (chance.holds(0.4)) {
    const body = 'x'.repeat(chance.below(20));
    return [`Content-Length: ${body.length}\r\n`, body];
  }
  if (chance.holds(0.7)) return ['Transfer-Encoding: chunked\r\n', chunkedText(chance)];
  const odd = () =>
    chance.holds(0.5) ? `Content-Length: ${chance.of(LENGTHS)}\r\n` : `Transfer-Encoding: ${chance.of(CODINGS)}\r\n`;
  return [odd() + chance.several(1, odd), chance.holds(0.5) ? 'xxxxx' : chunkedText(chance)];
}

export function chunkedText(chance: Chance): string {
  const extension = (): string => (chance.holds(0.1) ? chance.of(EXTENSIONS) : '');
  const chunk = (): string => {
    const data = 'y'.repeat(1 + chance.below(chance.holds(0.1) ? 300 : 20));
    const size = data.length.toString(16);
    const spelt = chance.holds(0.9)
      ? size
      : chance.of([`0${size}`, `0x${size}`, `+${size}`, ` ${size}`, `${size} `, 'g']);
    return `${spelt}${extension()}\r\n${data}\r\n`;
  };
  const trailers = chance.holds(0.15) ? chance.several(2, () => `${chance.of(TRAILERS)}\r\n`) : '';
  return `${chance.several(3, chunk)}${chance.of(['0', '0', '0', '000'])}${extension()}\r\n${trailers}\r\n`;
}

function connection(chance: Chance): string {
  return chance.holds(0.3) ? chance.several(2, () => `Connection: ${chance.of(CONNECTIONS)}\r\n`) : '';
}

function otherFields(chance: Chance): string {
  return chance.several(4, () => `${chance.of(NAMES)}:${chance.of([' ', ' ', '', '\t'])}${chance.of(VALUES)}\r\n`);
}

function usual(chance: Chance, one: string, all: readonly string[]): string {
  return chance.holds(0.85) ? one : chance.of(all);
}

function shuffled(chance: Chance, parts: readonly string[]): string {
  return parts
    .map((part) => ({ part, at: chance.next() }))
    .sort((one, other) => one.at - other.at)
    .map(({ part }) => part)
    .join('');
}
