import { expect } from 'chai';
import { rawApp } from '../../support/app-server.ts';
import { RawClient } from '../../support/raw-client.ts';
import { httpRig } from '../../support/relay-rig.ts';

const POST = 'POST /first HTTP/1.1\r\nHost: a\r\n';
const SECOND = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';

/** What two readers could end in different places, or take for different requests. All are refused. */
const AMBIGUOUS: Readonly<Record<string, string>> = {
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
const UNAMBIGUOUS: Readonly<Record<string, { readonly sent: string; readonly seen: RegExp }>> = {
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
  'a chunk extension, which is not forwarded': {
    sent: `${POST}Transfer-Encoding: chunked\r\n\r\n1;a=b\r\nx\r\n0\r\n\r\n`,
    seen: /\r\n\r\n1\r\nx\r\n0\r\n\r\n$/,
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

describe('request smuggling', () => {
  for (const [name, sent] of Object.entries(AMBIGUOUS)) {
    it(`refuses ${name}, and the app sees no request`, async () => {
      await using app = await rawApp();
      await using rig = await httpRig({ to: app.port, peer: 'spiffe://cluster.local/ns/shop/sa/web' });
      await using client = await RawClient.connect(rig.port);
      const text = await client.send(sent).closed();
      expect(text).to.match(/^HTTP\/1\.1 400 Bad Request\r\n/);
      expect(text)
        .to.match(/\r\nContent-Type: application\/problem\+json\r\n/)
        .and.match(/"code":"http_malformed"/);
      expect(text.match(/HTTP\/1\.1 /g), 'one answer').to.have.length(1);
      // What was begun before the fault was seen never becomes a whole request.
      for (let at = 0; at < app.count; at++) {
        const { text: seen } = await app.connection(at);
        expect(seen)
          .not.to.match(/smuggled/)
          .and.not.match(/0\r\n\r\n$/);
      }
      expect(rig.refused.map(({ code }) => code)).to.deep.equal(['http_malformed']);
    });
  }

  for (const [name, { sent, seen }] of Object.entries(UNAMBIGUOUS)) {
    it(`forwards ${name} with one meaning`, async () => {
      await using app = await rawApp();
      await using rig = await httpRig({ to: app.port });
      await using client = await RawClient.connect(rig.port);
      client.send(sent);
      const upstream = await app.connection(0);
      await upstream.until(seen);
      upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
      await client.until('200 OK');
      // A next request proves where the first one ended for every reader.
      client.send('GET /next HTTP/1.1\r\nHost: a\r\n\r\n');
      expect(await upstream.until('GET /next')).to.match(/\r\n(?:\r\n|\r\n[\s\S]*\r\n)GET \/next HTTP\/1\.1\r\n/);
      expect(app.count).to.equal(1);
      expect(rig.refused).to.deep.equal([]);
    });
  }

  it('answers what was asked before an ambiguous request, then refuses', async () => {
    await using app = await rawApp();
    await using rig = await httpRig({ to: app.port });
    await using client = await RawClient.connect(rig.port);
    client.send(`GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\nHost: a\n\n`);
    const upstream = await app.connection(0);
    await upstream.until('\r\n\r\n');
    upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst');
    const text = await client.closed();
    expect(text).to.match(/^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nfirstHTTP\/1\.1 400 Bad Request\r\n/);
  });

  it('refuses a header that is too large in bytes or in fields', async () => {
    await using app = await rawApp();
    await using rig = await httpRig({ to: app.port, limits: { headerBytes: 2048, headerCount: 10 } });
    for (const more of [`X: ${'x'.repeat(3000)}\r\n`, 'X: y\r\n'.repeat(11)]) {
      await using client = await RawClient.connect(rig.port);
      const text = await client.send(`GET / HTTP/1.1\r\nHost: a\r\n${more}\r\n`).closed();
      expect(text)
        .to.match(/^HTTP\/1\.1 431 /)
        .and.match(/"code":"http_headers_too_large"/);
    }
    expect(app.count).to.equal(0);
  });
});
