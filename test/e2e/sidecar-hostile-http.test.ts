/**
 * Promise: a peer with a good SVID cannot make the app behind a sidecar see anything but what it was allowed to ask:
 * what two readers could understand differently is refused with a code, what looks odd and has one meaning arrives as
 * exactly one request, and what a peer says of its own identity is replaced by what it proved.
 * Real parts: dev issuer, citadel and a sidecar as processes; raw TLS as peer; an app that keeps every byte.
 */
import { X509Certificate } from 'node:crypto';
import { expect } from 'chai';
import type { RefusalCode } from '../../shared/errors/refusal.ts';
import { type CountingApp, countingApp, type SeenRequest } from '../support/counting-app.ts';
import { AMBIGUOUS, POST, SPOOFS, UNAMBIGUOUS } from '../support/hostile-requests.ts';
import { type MeshSvid, OneSidecar, peerOf } from '../support/one-sidecar.ts';

const GET = 'GET /first HTTP/1.1\r\nHost: a\r\n';
const WEBSOCKET =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n';

/** Refused for another reason than that they are ambiguous. */
const EXCESSIVE: readonly (readonly [string, string, number, RefusalCode])[] = [
  ['a header of 64 KiB', `${GET}X: ${'x'.repeat(65_536)}\r\n\r\n`, 431, 'http_headers_too_large'],
  ['a target of 64 KiB', `GET /${'x'.repeat(65_536)} HTTP/1.1\r\nHost: a\r\n\r\n`, 431, 'http_headers_too_large'],
  ['1 000 fields', `${GET}${'X: 1\r\n'.repeat(1000)}\r\n`, 431, 'http_headers_too_large'],
  [
    'trailers of 64 KiB',
    `${POST}Transfer-Encoding: chunked\r\n\r\n0\r\nX: ${'x'.repeat(65_536)}\r\n\r\n`,
    431,
    'http_headers_too_large',
  ],
  ['an upgrade with a body', `${GET}${WEBSOCKET}Content-Length: 4\r\n\r\nevil`, 400, 'http_upgrade_with_body'],
  [
    'an upgrade with chunks',
    `${GET}${WEBSOCKET}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
    'http_upgrade_with_body',
  ],
];

describe('a sidecar, sent hostile HTTP by a peer with a good SVID', () => {
  let app: CountingApp;
  let sidecar: OneSidecar;
  let svid: MeshSvid;
  let proven: string;

  before(async function () {
    this.timeout(60_000);
    app = await countingApp();
    sidecar = await OneSidecar.start({ appPort: app.port });
    svid = await sidecar.svid();
    const hash = new X509Certificate(svid.certPem).fingerprint256.replaceAll(':', '').toLowerCase();
    proven = `By=${sidecar.orders.plan.spiffeId};Hash=${hash};Subject="";URI=${svid.spiffeId}`;
  });
  after(async () => {
    await sidecar?.[Symbol.asyncDispose]();
    await app?.[Symbol.asyncDispose]();
  });

  const starts = (seen: readonly SeenRequest[]): string[] => seen.map(({ start }) => start);
  const whole = (seen: readonly SeenRequest[]): string[] => starts(seen.filter((request) => request.whole));

  /** Another peer's request: served, and by then the app has seen what came before it. */
  async function isServed(): Promise<void> {
    await using client = await peerOf(sidecar.port, svid);
    const text = await client.send('GET /honest HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n').closed();
    expect(text).to.match(/^HTTP\/1\.1 200 OK\r\n[\s\S]*served$/);
  }

  async function isRefused(sent: string, status: number, code: RefusalCode): Promise<void> {
    const seen = app.watch();
    const series = `sidecar_refusals_total{code="${code}"}`;
    const before = await sidecar.metric(series);
    const told = sidecar.orders.sidecar.next('the refusal', ({ event }) => event === 'request_refused');
    await using client = await peerOf(sidecar.port, svid);
    const text = await client.send(sent).closed();
    expect(text).to.match(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(text).to.include(`"code":"${code}"`);
    expect(text.match(/HTTP\/1\.1 /g), 'one answer').to.have.length(1);
    expect((await told).fields).to.include({ code, peer: svid.spiffeId });
    expect(await sidecar.metric(series)).to.equal(before + 1);
    await isServed();
    // What was begun before its fault was seen never becomes a whole request.
    expect(whole(seen())).to.deep.equal(['GET /honest HTTP/1.1']);
    expect(
      seen()
        .map(({ head }) => head)
        .join(''),
    ).not.to.include('smuggled');
  }

  for (const [name, sent] of Object.entries(AMBIGUOUS)) {
    it(`refuses ${name}, and the app sees no request`, () => isRefused(sent, 400, 'http_malformed'));
  }

  for (const [name, sent, status, code] of EXCESSIVE) {
    it(`refuses ${name}, and the app sees no request`, () => isRefused(sent, status, code));
  }

  for (const [name, { sent, seen: expected }] of Object.entries(UNAMBIGUOUS)) {
    it(`forwards ${name} with one meaning`, async () => {
      const seen = app.watch();
      await using client = await peerOf(sidecar.port, svid);
      await client.send(sent).until('served');
      const [request, ...others] = seen();
      expect(others).to.deep.equal([]);
      expect(request!.whole).to.equal(true);
      expect(`${request!.head}\r\n${request!.body}`).to.match(expected);
      // A next request on the same connection proves where the first one ended for every reader.
      await client.send('GET /next HTTP/1.1\r\nHost: a\r\n\r\n').until(/served[\s\S]*served/);
      expect(starts(seen())).to.deep.equal([request!.start, 'GET /next HTTP/1.1']);
    });
  }

  it('answers HTTP/1.0 by the end of the connection, and asks the app in HTTP/1.1', async () => {
    const seen = app.watch();
    await using client = await peerOf(sidecar.port, svid);
    expect(await client.send('GET /old HTTP/1.0\r\nHost: a\r\n\r\n').closed()).to.match(/ 200 OK\r\n[\s\S]*served$/);
    expect(starts(seen())).to.deep.equal(['GET /old HTTP/1.1']);
  });

  it('forwards requests that were sent ahead one by one, and nothing behind an ambiguous one', async () => {
    const seen = app.watch();
    await using client = await peerOf(sidecar.port, svid);
    client.send(
      `GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n${AMBIGUOUS['two different lengths']}`,
    );
    const text = await client.closed();
    expect(text.match(/HTTP\/1\.1 \d+/g)).to.deep.equal(['HTTP/1.1 200', 'HTTP/1.1 200', 'HTTP/1.1 400']);
    await isServed();
    expect(starts(seen())).to.have.members(['GET /1 HTTP/1.1', 'GET /2 HTTP/1.1', 'GET /honest HTTP/1.1']);
  });

  it('answers 500 requests that are sent ahead one after the other', async () => {
    const seen = app.watch();
    await using client = await peerOf(sidecar.port, svid);
    const ahead = Array.from({ length: 500 }, (_, at) => `GET /${at} HTTP/1.1\r\nHost: a\r\n\r\n`).join('');
    client.send(`${ahead}GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    const answers = (await client.closed()).match(/HTTP\/1\.1 \d+/g) ?? [];
    expect(answers).to.deep.equal(Array(501).fill('HTTP/1.1 200'));
    await isServed();
    const asked = starts(seen()).filter((start) => !start.includes('honest'));
    expect(asked.slice(0, 500)).to.deep.equal(answers.slice(0, 500).map((_, at) => `GET /${at} HTTP/1.1`));
  });

  for (const [how, fields] of Object.entries(SPOOFS)) {
    it(`replaces what a peer says of itself ${how} by what it proved`, async () => {
      for (const sent of [`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`, `GET / HTTP/1.1\r\n${fields}Host: a\r\n\r\n`]) {
        const seen = app.watch();
        await using client = await peerOf(sidecar.port, svid);
        await client.send(sent).until('served');
        const [{ head }] = seen() as [SeenRequest];
        expect(head).not.to.match(/evil|admin/);
        expect(head.match(/client.cert/gi)).to.have.length(1);
        expect(head).to.include(`\r\nX-Forwarded-Client-Cert: ${proven}\r\n`);
      }
    });
  }

  it('replaces it also in a request that wants to upgrade, which an app may answer', async () => {
    const seen = app.watch();
    await using client = await peerOf(sidecar.port, svid);
    await client.send(`${GET}${WEBSOCKET}${SPOOFS['twice']}\r\n`).until('served');
    const [{ head }] = seen() as [SeenRequest];
    expect(head)
      .to.match(/\r\nUpgrade: websocket\r\n/)
      .and.not.match(/evil/);
    expect(head.match(/^X-Forwarded-Client-Cert: (.*)\r$/gm)).to.deep.equal([`X-Forwarded-Client-Cert: ${proven}\r`]);
  });

  it('takes none from trailers, and forwards others', async () => {
    const seen = app.watch();
    const send = `${POST}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\nX-Kept: 1\r\n`;
    for (const trailers of [SPOOFS['twice'], SPOOFS['spelt for CGI']]) {
      await using client = await peerOf(sidecar.port, svid);
      expect(await client.send(`${send}${trailers}\r\n`).closed()).to.contain('"code":"http_malformed"');
    }
    await using client = await peerOf(sidecar.port, svid);
    await client.send(`${send}\r\n`).until('served');
    expect(seen().map(({ body }) => body)).to.deep.equal(['0\r\nX-Kept: 1\r\n\r\n']);
  });
});
