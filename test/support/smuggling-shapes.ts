/**
 * Requests by which one reader is made to see a second request where another sees a body, beyond those of
 * hostile-requests.ts. Data only. `/smuggled` is what must never be asked of an app.
 */
import { SECOND } from './hostile-requests.ts';

/** A request that has one meaning and must arrive with it. */
export interface OneRequest {
  readonly sent: string;
  /** Method and target as the app sees them. */
  readonly line: string;
  readonly body: string;
  /** The caller itself ends the connection with it. */
  readonly closes?: boolean;
}

const START = 'POST /shape HTTP/1.1\r\nHost: a\r\n';
const withLines = (lines: string, body = `0\r\n\r\n${SECOND}`): string => `${START}${lines}\r\n\r\n${body}`;
const codings = (spelt: string): string => withLines(`Content-Length: 4\r\n${spelt}`);
const lengths = (spelt: string): string => withLines(spelt, SECOND);
const chunks = (text: string): string => withLines('Transfer-Encoding: chunked', text);
const get = (rest: string): string => `GET ${rest}`;

/** Faults in the head: refused before anything is asked of the app. */
export const HEAD_SHAPES: Readonly<Record<string, string>> = {
  'CL.TE': withLines('Content-Length: 6\r\nTransfer-Encoding: chunked'),
  'TE.CL': withLines('Transfer-Encoding: chunked\r\nContent-Length: 4', `23\r\n${SECOND}\r\n0\r\n\r\n`),
  'CL.TE in other letter cases': withLines('cONTENT-lENGTH: 6\r\ntRANSFER-eNCODING: chunked'),
  'TE.TE, the second unknown': withLines('Transfer-Encoding: chunked\r\nTransfer-Encoding: cow'),
  'TE.TE, the first unknown': withLines('Transfer-Encoding: cow\r\nTransfer-Encoding: chunked'),
  'TE.TE with identity': withLines('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity'),
  'TE with HTAB before it': codings('Transfer-Encoding:\tchunked'),
  'TE with a vertical tab behind it': codings('Transfer-Encoding: chunked\x0b'),
  'TE with NUL before it': codings('Transfer-Encoding: \0chunked'),
  'TE with a byte beyond ASCII before it': codings('Transfer-Encoding: \xffchunked'),
  'TE with a no-break space behind it': codings('Transfer-Encoding: chunked\xa0'),
  'TE in single quotes': codings("Transfer-Encoding: 'chunked'"),
  'TE with a parameter': codings('Transfer-Encoding: chunked;q=1'),
  'TE with an empty element': codings('Transfer-Encoding: ,chunked'),
  'TE cut short': codings('Transfer-Encoding: chunk'),
  'TE behind a bare LF': codings('X: x\nTransfer-Encoding: chunked'),
  'TE behind a bare CR': codings('X: x\rTransfer-Encoding: chunked'),
  'TE in a folded line': codings('X: x\r\n Transfer-Encoding: chunked'),
  'TE whose colon is on the next line': codings('Transfer-Encoding\r\n : chunked'),
  'TE with HTAB before the colon': codings('Transfer-Encoding\t: chunked'),
  'TE with NUL in the name': codings('Transfer-Encoding\0: chunked'),
  'TE with a byte beyond ASCII in the name': codings('Transfer-Encoding\xff: chunked'),
  'TE with a space in the name': codings('Transfer Encoding: chunked'),
  'TE with one underscore': codings('Transfer_encoding: chunked'),
  'TE in Connection and beside a length': codings('Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked'),
  'TE before the first field': `POST /shape HTTP/1.1\r\n Transfer-Encoding: chunked\r\nHost: a\r\n\r\n0\r\n\r\n${SECOND}`,
  'TE in HTTP/1.0 that stays': `POST /shape HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SECOND}`,
  'two lengths, the second with a space before the colon': lengths('Content-Length: 35\r\nContent-Length : 0'),
  'two lengths, the first folded away': lengths('X: x\r\n Content-Length: 35\r\nContent-Length: 0'),
  'a length with a vertical tab': lengths('Content-Length:\x0b35'),
  'a length with NUL behind it': lengths('Content-Length: 35\0'),
  'a length with a semicolon': lengths('Content-Length: 35;'),
  'a length of two numbers': lengths('Content-Length: 3 5'),
  'a length with an underscore': lengths('Content-Length: 3_5'),
  'a length with an exponent': lengths('Content-Length: 35e0'),
  'a length with a fraction': lengths('Content-Length: 35.0'),
  'a length of minus zero': lengths('Content-Length: -0'),
  'a length in other digits': lengths('Content-Length: \xd9\xa3\xd9\xa5'),
  'a length that wraps 64 bits to 35': lengths('Content-Length: 18446744073709551651'),
  'a length with HTAB': lengths('Content-Length:\t35'),
  'a length with an empty element': lengths('Content-Length: 35,'),
  'a length with a space in the name': lengths('Content Length: 35'),
  'a length folded onto the next line': lengths('Content-Length:\r\n 35'),
  'two equal Hosts': get('/shape HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n'),
  'a second Host with a space before the colon': get('/shape HTTP/1.1\r\nHost: a\r\nHost : b\r\n\r\n'),
  'a second Host in a folded line': get('/shape HTTP/1.1\r\nHost: a\r\n Host: b\r\n\r\n'),
  'a Host with NUL': get('/shape HTTP/1.1\r\nHost: a\0b\r\n\r\n'),
  'an absolute target without Host': get('http://a/shape HTTP/1.1\r\n\r\n'),
  'an absolute target of another host in userinfo': get('http://a@b/shape HTTP/1.1\r\nHost: a\r\n\r\n'),
  'an absolute target of another port': get('http://a:81/shape HTTP/1.1\r\nHost: a\r\n\r\n'),
  'an absolute target with one slash': get('http:/a/shape HTTP/1.1\r\nHost: a\r\n\r\n'),
  'HTTP/0.9 with fields': 'GET /shape\r\nHost: a\r\n\r\n',
  'the preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'PRI in HTTP/1.1': 'PRI * HTTP/1.1\r\nHost: a\r\n\r\n',
  'a request line with HTAB': get('/shape\tHTTP/1.1\r\nHost: a\r\n\r\n'),
  'a request line with a space behind it': get('/shape HTTP/1.1 \r\nHost: a\r\n\r\n'),
  'a request line with two versions': get('/shape HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n'),
  'a request line that ends with CR CR LF': get('/shape HTTP/1.1\r\r\nHost: a\r\n\r\n'),
  'a request hidden behind a bare CR in the target': get(`/shape\r${SECOND}`),
  'a NUL in the target': get('/shape\0 HTTP/1.1\r\nHost: a\r\n\r\n'),
  'two empty lines before it': get('/shape HTTP/1.1\r\nHost: a\r\n\r\n').replace(/^/, '\r\n\r\n'),
  'a bare LF before it': `\n${SECOND}`,
  'a bare CR before it': `\r${SECOND}`,
  'an end of the head of LF LF': get(`/shape HTTP/1.1\r\nHost: a\n\n${SECOND}`),
  'a name with NUL': get('/shape HTTP/1.1\r\nHost: a\r\nX\0: a\r\n\r\n'),
  'a name with a byte beyond ASCII': get('/shape HTTP/1.1\r\nHost: a\r\nX\xe9: a\r\n\r\n'),
  'an expectation with more in it': withLines('Content-Length: 35\r\nExpect: y 100-continue', SECOND),
  'an expectation in a folded line': withLines('Content-Length: 35\r\nExpect:\r\n 100-continue', SECOND),
  'an expectation behind a bare LF': withLines('Content-Length: 35\r\nX: x\nExpect: 100-continue', SECOND),
  'an upgrade that is no token': withLines('Connection: upgrade\r\nUpgrade: h 2c\r\nContent-Length: 35', SECOND),
  'Connection that is no list of tokens': withLines('Connection: close\x7f\r\nContent-Length: 35', SECOND),
};

/** Faults behind the head: the app may have been asked, but never to the end, and never anything else. */
export const BODY_SHAPES: Readonly<Record<string, string>> = {
  'a chunk size with a sign': chunks(`+0\r\n\r\n${SECOND}`),
  'a chunk size with a minus': chunks(`-1\r\n\r\n${SECOND}`),
  'a chunk size with a space before it': chunks(` 0\r\n\r\n${SECOND}`),
  'a chunk size with HTAB behind it': chunks(`0\t\r\n\r\n${SECOND}`),
  'a chunk size of 0x0': chunks(`0x0\r\n\r\n${SECOND}`),
  'a chunk size with an underscore': chunks(`1_0\r\n\r\n${SECOND}`),
  'a chunk size that wraps 64 bits to 0': chunks(`10000000000000000\r\n\r\n${SECOND}`),
  'a chunk size that wraps 32 bits to 0 and has no data': chunks(`100000000000000\r\n\r\n${SECOND}`),
  'a chunk size of many zeros': chunks(`${'0'.repeat(40)}\r\n\r\n${SECOND}`),
  'no chunk size': chunks(`\r\n\r\n${SECOND}`),
  'a last chunk that ends with LF': chunks(`0\n\n${SECOND}`),
  'a last chunk whose empty line is LF': chunks(`0\r\n\n${SECOND}`),
  'a last chunk whose empty line is CR': chunks(`0\r\n\r${SECOND}`),
  'a chunk that ends with LF': chunks(`1\r\nx\n0\r\n\r\n${SECOND}`),
  'a chunk that ends with two bytes that are not CR LF': chunks(`1\r\nxyz0\r\n\r\n${SECOND}`),
  'an extension with LF in it': chunks(`2;\nxx\r\n0\r\n\r\n${SECOND}`),
  'an extension with CR in it': chunks(`2;a\rb\r\nxx\r\n0\r\n\r\n${SECOND}`),
  'an extension with CR LF in quotes': chunks(`2;a="\r\nxx\r\n0\r\n\r\n${SECOND}`),
  'an extension with whitespace': chunks(`2 ; a\r\nxx\r\n0\r\n\r\n${SECOND}`),
  'an extension without name': chunks(`2;\r\nxx\r\n0\r\n\r\n${SECOND}`),
  'an extension of 64 KiB': chunks(`2;${'a'.repeat(65_536)}\r\nxx\r\n0\r\n\r\n${SECOND}`),
  'a request for trailers': chunks(`0\r\n${SECOND}`),
  'a request in a trailer': chunks(`0\r\nX: ${SECOND}`),
  'a coding in the trailers': chunks('0\r\nTransfer-Encoding: chunked\r\n\r\n'),
  'a Host in the trailers': chunks('0\r\nHost: b\r\n\r\n'),
  'a length for CGI in the trailers': chunks('0\r\nContent_Length: 35\r\n\r\n'),
  'credentials in the trailers': chunks('0\r\nAuthorization: Basic eA==\r\n\r\n'),
  'an identity in the trailers': chunks('0\r\nX-Forwarded-Client-Cert: URI=evil\r\n\r\n'),
  'an identity for CGI in the trailers': chunks('0\r\nx_forwarded_client_cert: URI=evil\r\n\r\n'),
  'a fold in the trailers': chunks(`0\r\nX: x\r\n Y: y\r\n\r\n${SECOND}`),
  'a bare LF in the trailers': chunks(`0\r\nX: x\nY: y\r\n\r\n${SECOND}`),
};

/** What looks like smuggling and has one meaning for everyone who reads RFC 9112. */
export const ONE_REQUEST: Readonly<Record<string, OneRequest>> = {
  'CL.0: a request as the body of POST': { sent: lengths('Content-Length: 35'), line: 'POST /shape', body: SECOND },
  '0.CL: a request as the body of GET': {
    sent: `GET /shape HTTP/1.1\r\nHost: a\r\nContent-Length: 35\r\n\r\n${SECOND}`,
    line: 'GET /shape',
    body: SECOND,
  },
  'a request as the body of OPTIONS': {
    sent: `OPTIONS /shape HTTP/1.1\r\nHost: a\r\nContent-Length: 35\r\n\r\n${SECOND}`,
    line: 'OPTIONS /shape',
    body: SECOND,
  },
  'a request as a chunk': { sent: chunks(`23\r\n${SECOND}\r\n0\r\n\r\n`), line: 'POST /shape', body: SECOND },
  'a last chunk as a chunk': { sent: chunks('5\r\n0\r\n\r\n\r\n0\r\n\r\n'), line: 'POST /shape', body: '0\r\n\r\n' },
  'a chunk size with leading zeros': {
    sent: chunks(`0000023\r\n${SECOND}\r\n000\r\n\r\n`),
    line: 'POST /shape',
    body: SECOND,
  },
  'a chunk extension with a quoted semicolon': {
    sent: chunks(`23;a="0;b"\r\n${SECOND}\r\n0;c\r\n\r\n`),
    line: 'POST /shape',
    body: SECOND,
  },
  'a length listed in Connection': {
    sent: lengths('Connection: content-length\r\nContent-Length: 35'),
    line: 'POST /shape',
    body: SECOND,
  },
  'a coding listed in Connection': {
    sent: withLines('Connection: transfer-encoding\r\nTransfer-Encoding: chunked', `23\r\n${SECOND}\r\n0\r\n\r\n`),
    line: 'POST /shape',
    body: SECOND,
  },
  'Host listed in Connection': {
    sent: lengths('Connection: host\r\nContent-Length: 35'),
    line: 'POST /shape',
    body: SECOND,
  },
  'the identity listed in Connection': {
    sent: lengths('Connection: x-forwarded-client-cert\r\nX-Forwarded-Client-Cert: URI=evil\r\nContent-Length: 35'),
    line: 'POST /shape',
    body: SECOND,
  },
  'an identity for CGI': {
    sent: lengths('X_Forwarded-Client_Cert: URI=evil\r\nx_spiffe_id: evil\r\nContent-Length: 35'),
    line: 'POST /shape',
    body: SECOND,
  },
  'an expectation with its body at once': {
    sent: lengths('Expect: 100-continue\r\nContent-Length: 35'),
    line: 'POST /shape',
    body: SECOND,
  },
  'an expectation without a body': {
    sent: 'GET /shape HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n',
    line: 'GET /shape',
    body: '',
  },
  'an upgrade to HTTP/2 with a body': {
    sent: lengths(
      'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nContent-Length: 35',
    ),
    line: 'POST /shape',
    body: SECOND,
  },
  'HTTP2-Settings alone': {
    sent: lengths('HTTP2-Settings: x\r\nContent-Length: 35'),
    line: 'POST /shape',
    body: SECOND,
  },
  'another method in a field': {
    sent: lengths('X-HTTP-Method-Override: DELETE\r\nContent-Length: 35'),
    line: 'POST /shape',
    body: SECOND,
  },
  'a target of two slashes': { sent: get('//b/shape HTTP/1.1\r\nHost: a\r\n\r\n'), line: 'GET //b/shape', body: '' },
  'line ends in the target, encoded': {
    sent: get('/shape%0d%0aHost:%20b HTTP/1.1\r\nHost: a\r\n\r\n'),
    line: 'GET /shape%0d%0aHost:%20b',
    body: '',
  },
  'HTTP/1.0 that stays': {
    sent: `POST /shape HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nContent-Length: 35\r\n\r\n${SECOND}`,
    line: 'POST /shape',
    body: SECOND,
  },
  'HTTP/1.0 that ends, with a request behind it': {
    sent: `GET /shape HTTP/1.0\r\nHost: a\r\n\r\n${SECOND}`,
    line: 'GET /shape',
    body: '',
    closes: true,
  },
  'a request behind one that ends the connection': {
    sent: `POST /shape HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx${SECOND}`,
    line: 'POST /shape',
    body: 'x',
    closes: true,
  },
};
