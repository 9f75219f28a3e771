/**
 * HTTP that is meant to be understood differently by two readers, HTTP that only looks so, and the fields by which a
 * caller tries to say who it is. Data only: what must happen to it is said by the tests that send it.
 */

export const POST = 'POST /first HTTP/1.1\r\nHost: a\r\n';
/** What is hidden behind another request. */
export const SECOND = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';

/** What two readers could end in different places, or take for different requests. All are refused. */
export const AMBIGUOUS: Readonly<Record<string, string>> = {
  'Content-Length beside Transfer-Encoding': `${POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SECOND}`,
  'Transfer-Encoding beside Content-Length': `${POST}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${SECOND}`,
  'two equal lengths': `${POST}Content-Length: 1\r\nContent-Length: 1\r\n\r\nx`,
  'two different lengths': `${POST}Content-Length: 0\r\nContent-Length: ${SECOND.length}\r\n\r\n${SECOND}`,
  'a list of lengths': `${POST}Content-Length: 1, 1\r\n\r\nx`,
  'a signed length': `${POST}Content-Length: +1\r\n\r\nx`,
  'a length with leading zeros': `${POST}Content-Length: 010\r\n\r\n12345678${SECOND}`,
  'a hexadecimal length': `${POST}Content-Length: 0x1\r\n\r\nx`,
  'an empty length': `${POST}Content-Length:\r\n\r\n`,
  'a length beyond 64 bits': `${POST}Content-Length: 99999999999999999999\r\n\r\n`,
  'chunked twice in two fields': `${POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'chunked twice in one field': `${POST}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n`,
  'another coding before chunked': `${POST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
  'another coding after chunked': `${POST}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
  'an unknown coding': `${POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${SECOND}`,
  'the coding identity': `${POST}Transfer-Encoding: identity\r\nContent-Length: 0\r\n\r\n${SECOND}`,
  'a quoted coding': `${POST}Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n`,
  'a vertical tab before the coding': `${POST}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n`,
  'a space before the colon': `${POST}Transfer-Encoding : chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n${SECOND}`,
  'a folded coding': `${POST}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n`,
  'Transfer-Encoding spelt for CGI': `${POST}Transfer_Encoding: chunked\r\nContent-Length: 0\r\n\r\n`,
  'Content-Length spelt for CGI': `${POST}Content_Length: 5\r\nContent-Length: 0\r\n\r\n`,
  'Transfer-Encoding in HTTP/1.0': `POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SECOND}`,
  'an obsolete fold': `${POST}X: a\r\n b\r\n\r\n`,
  'a fold before the first field': 'GET / HTTP/1.1\r\n Host: a\r\n\r\n',
  'a bare line feed after a field': 'GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n',
  'a bare line feed after the start': 'GET / HTTP/1.1\nHost: a\r\n\r\n',
  'a bare carriage return': 'GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n',
  'a NUL in a value': 'GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n',
  'an empty name': 'GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n',
  'a line without colon': 'GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n',
  'a chunk size that is none': `${POST}Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n`,
  'a chunk size with 0x': `${POST}Transfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n0\r\n\r\n`,
  'a chunk size with a space': `${POST}Transfer-Encoding: chunked\r\n\r\n1 \r\nx\r\n0\r\n\r\n`,
  'a chunk size that overflows': `${POST}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff1\r\nx\r\n0\r\n\r\n`,
  'a chunk size line that ends with LF': `${POST}Transfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n`,
  'a chunk extension that ends with LF': `${POST}Transfer-Encoding: chunked\r\n\r\n1;a\nx\r\n0\r\n\r\n${SECOND}`,
  'a chunk longer than its size': `${POST}Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n`,
  'a length in the trailers': `${POST}Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n`,
  'no Host': 'GET / HTTP/1.1\r\n\r\n',
  'no Host in HTTP/1.0': 'GET / HTTP/1.0\r\n\r\n',
  'two Hosts': 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
  'two Hosts, with a good request right behind': `GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n${SECOND}`,
  'a list of Hosts': 'GET / HTTP/1.1\r\nHost: a, b\r\n\r\n',
  'a Host with userinfo': 'GET / HTTP/1.1\r\nHost: a@b\r\n\r\n',
  'a Host with a path': 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n',
  'an empty Host': 'GET / HTTP/1.1\r\nHost:\r\n\r\n',
  'a target of another authority': 'GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n',
  'a target of another scheme': 'GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n',
  'a target with userinfo': 'GET http://x@a/ HTTP/1.1\r\nHost: a\r\n\r\n',
  'a target with a fragment': 'GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n',
  'a target that is no path': 'GET a HTTP/1.1\r\nHost: a\r\n\r\n',
  'an asterisk that is no question': 'GET * HTTP/1.1\r\nHost: a\r\n\r\n',
  'a space in the target': 'GET /a b HTTP/1.1\r\nHost: a\r\n\r\n',
  'a tunnel': 'CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n',
  'version 2.0': 'GET / HTTP/2.0\r\nHost: a\r\n\r\n',
  'version 1.2': 'GET / HTTP/1.2\r\nHost: a\r\n\r\n',
  'version 0.9': 'GET /\r\n\r\n',
  'an unknown expectation': `${POST}Expect: x-100-continue\r\nContent-Length: 1\r\n\r\nx`,
  'two expectations': `${POST}Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx`,
  'what is no HTTP': 'SSH-2.0-OpenSSH_9.6\r\n',
};

/** What looks odd and still has one meaning: the app sees exactly one request, and this is how it begins and ends. */
export const UNAMBIGUOUS: Readonly<Record<string, { readonly sent: string; readonly seen: RegExp }>> = {
  'a body of GET': {
    sent: `GET / HTTP/1.1\r\nHost: a\r\nContent-Length: ${SECOND.length}\r\n\r\n${SECOND}`,
    seen: /\r\n\r\nGET \/smuggled [\s\S]*\r\n\r\n$/,
  },
  'a chunked body of DELETE': {
    sent: `DELETE / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${SECOND.length.toString(16)}\r\n${SECOND}\r\n0\r\n\r\n`,
    seen: /^DELETE \/ [\s\S]*Transfer-Encoding: chunked\r\n[\s\S]*\r\n\r\n23\r\nGET \/smuggled [\s\S]*\r\n0\r\n\r\n$/,
  },
  'a coding in capitals': {
    sent: `${POST}Transfer-Encoding: CHUNKED\r\n\r\n1\r\nx\r\n0\r\n\r\n`,
    seen: /\r\nTransfer-Encoding: chunked\r\n[\s\S]*1\r\nx\r\n0\r\n\r\n$/,
  },
  'a chunk extension': {
    sent: `${POST}Transfer-Encoding: chunked\r\n\r\n1;a=b\r\nx\r\n0\r\n\r\n`,
    seen: /\r\n\r\n1;a=b\r\nx\r\n0\r\n\r\n$/,
  },
  'an absolute target of the same authority': {
    sent: 'GET HTTP://A/x HTTP/1.1\r\nHost: a\r\n\r\n',
    seen: /^GET \/x HTTP\/1\.1\r\nHost: a\r\n/,
  },
  'an absolute target without path': {
    sent: 'GET http://a?q HTTP/1.1\r\nHost: a\r\n\r\n',
    seen: /^GET \/\?q HTTP\/1\.1\r\n/,
  },
  'OPTIONS of the server': { sent: 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', seen: /^OPTIONS \* HTTP\/1\.1\r\n/ },
  'an empty line before the request': { sent: '\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n', seen: /^GET \/x / },
  'Content-Length listed in Connection': {
    sent: `${POST}Connection: Content-Length, Host\r\nContent-Length: ${SECOND.length}\r\n\r\n${SECOND}`,
    seen: /\r\nHost: a\r\nContent-Length: 35\r\n[\s\S]*GET \/smuggled [\s\S]*\r\n\r\n$/,
  },
  'an upgrade to HTTP/2, which is ignored': {
    sent: 'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n',
    seen: /^(?![\s\S]*(?:h2c|http2|upgrade))GET \/ /i,
  },
  'bytes beyond ASCII in a value': {
    sent: 'GET / HTTP/1.1\r\nHost: a\r\nX: \xe9\xff\r\n\r\n',
    seen: /\r\nX: \xe9\xff\r\n/,
  },
};

/** Fields by which a caller tries to say who it is. */
export const SPOOFS: Readonly<Record<string, string>> = {
  plainly: 'X-Forwarded-Client-Cert: URI=spiffe://cluster.local/ns/shop/sa/admin\r\n',
  'in capitals': 'X-FORWARDED-CLIENT-CERT: URI=evil\r\n',
  'in small letters': 'x-forwarded-client-cert: URI=evil\r\n',
  twice: 'X-Forwarded-Client-Cert: URI=evil\r\nx-forwarded-client-cert: URI=evil\r\n',
  'as a list': 'X-Forwarded-Client-Cert: URI=evil,URI=evil\r\n',
  'spelt for CGI': 'X_Forwarded_Client_Cert: URI=evil\r\nx-forwarded_client-cert: URI=evil\r\n',
  'in names of ours':
    'X-SPIFFE-Id: evil\r\nx_spiffe_id: evil\r\nX-Sallyport-Peer: evil\r\nx-sallyport-refusal: evil\r\n',
  'and lists it in Connection': 'Connection: X-Forwarded-Client-Cert, close\r\nX-Forwarded-Client-Cert: URI=evil\r\n',
  'and lists only what we set in Connection': 'Connection: x-forwarded-client-cert\r\n',
};
