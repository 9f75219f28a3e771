import type { IncomingMessage } from 'node:http';
import { expect } from 'chai';
import fc from 'fast-check';
import { httpApp } from '../../support/app-server.ts';
import { RawClient } from '../../support/raw-client.ts';
import { CERTIFICATE_HASH, httpRig, OWN_ID } from '../../support/relay-rig.ts';
import { until } from '../../support/until.ts';

const WEB = 'spiffe://cluster.local/ns/shop/sa/web';
const PROVEN = `By=${OWN_ID};Hash=${CERTIFICATE_HASH};Subject="";URI=${WEB}`;

const LINES = [
  'Host: a',
  'Host: b',
  'host:a',
  'Content-Length: 5',
  'Content-Length: 0',
  'content-length: 05',
  'Content-Length: 5, 5',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: gzip',
  'transfer-encoding:chunked',
  'Transfer_Encoding: chunked',
  'Connection: close',
  'Connection: keep-alive, X-Request-Id',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Upgrade: h2c',
  'Expect: 100-continue',
  'X-Forwarded-Client-Cert: URI=evil',
  'x_forwarded_client_cert: URI=evil',
  'TE: trailers',
  'Trailer: X',
  'X: \xff',
  'X: a\x00b',
  ' folded',
  'X-Request-Id: 1',
  'no colon',
  '',
] as const;
const STARTS = [
  'GET / HTTP/1.1',
  'POST / HTTP/1.1',
  'HEAD / HTTP/1.1',
  'DELETE /x HTTP/1.1',
  'OPTIONS * HTTP/1.1',
  'GET http://a/ HTTP/1.1',
  'POST / HTTP/1.0',
  'GET / HTTP/2.0',
  'CONNECT a:1 HTTP/1.1',
  'GET  /',
  'PRI * HTTP/2.0',
] as const;
const BODIES = [
  '',
  '12345',
  '5\r\nhello\r\n0\r\n\r\n',
  '5\r\nhello\r\n0\r\nX: 1\r\n\r\n',
  '5;a\r\nhello\r\n0\r\n\r\n',
  'zz\r\n',
  '0\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\n\r\n',
] as const;
const ENDS = ['\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r'] as const;

const message = fc
  .tuple(
    fc.constantFrom(...STARTS),
    fc.array(fc.tuple(fc.constantFrom(...LINES), fc.constantFrom(...ENDS)), { maxLength: 6 }),
    fc.constantFrom(...BODIES),
  )
  .map(([start, lines, body]) => `${start}\r\nHost: a\r\n${lines.map((line) => line.join('')).join('')}\r\n${body}`);
const twist = fc.tuple(fc.nat(), fc.constantFrom('', '\r', '\n', '\0', ' ', ':', '\x7f', '\x80', 'X'));
const hostile = fc
  .tuple(fc.array(message, { minLength: 1, maxLength: 3 }), fc.array(twist, { maxLength: 2 }))
  .map(([messages, twists]) => {
    let text = messages.join('');
    for (const [place, what] of twists) {
      const at = place % text.length;
      text = text.slice(0, at) + what + text.slice(at + 1);
    }
    return text;
  });

async function endsAfter(port: number, text: string): Promise<void> {
  await using client = await RawClient.connect(port);
  await client.send(text).closed();
}

describe('hostile bytes', () => {
  it('never reach the app as a request that was not checked, never crash the relay, and always end', async () => {
    let seen: IncomingMessage[] = [];
    await using app = await httpApp((request, response) => {
      seen.push(request);
      request.on('error', () => {}).resume();
      request.on('end', () => response.end('ok'));
    });
    app.server.on('upgrade', (request, socket) => {
      seen.push(request);
      socket.on('error', () => {}).resume();
      socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    });
    const broken: string[] = [];
    let unknownMethods = 0;
    app.server.on('clientError', (error, socket) => {
      const { code = '', rawPacket } = error as NodeJS.ErrnoException & { rawPacket?: Buffer };
      // A method that node:http does not know, in a head that the relay has written as a whole.
      if (code === 'HPE_INVALID_METHOD' && rawPacket?.includes(PROVEN)) unknownMethods++;
      else broken.push(code);
      socket.destroy();
    });
    // Whatever waits for more is ended by a limit.
    const limits = { headerSeconds: 0.2, bodyIdleSeconds: 0.2, idleSeconds: 0.2 };
    await using rig = await httpRig({ to: app.port, peer: WEB, limits });
    let forwarded = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(hostile, { minLength: 60, maxLength: 60 }), async (texts) => {
        seen = [];
        await Promise.all(texts.map((text) => endsAfter(rig.port, text)));
        forwarded += seen.length;
        for (const { rawHeaders } of seen) {
          const identities = rawHeaders.filter(
            (_part, at) => at % 2 === 1 && /^x[-_]forwarded[-_]client[-_]cert$/i.test(rawHeaders[at - 1]!),
          );
          expect(identities).to.deep.equal([PROVEN]);
        }
      }),
      { numRuns: 8 },
    );
    expect(unknownMethods).to.be.lessThan(forwarded);
    expect(forwarded, 'good ones among them').to.be.greaterThan(40);
    // What the relay wrote, another strict reader could read: at most cut short, never malformed.
    expect(broken.filter((code) => code.startsWith('HPE_') && code !== 'HPE_INVALID_EOF_STATE')).to.deep.equal([]);
    await until('all is closed', () => rig.sockets.every(({ destroyed }) => destroyed));
  }).timeout(60_000);
});
