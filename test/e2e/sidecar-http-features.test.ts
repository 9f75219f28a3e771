/**
 * Promise: an app that calls through two sidecars meets the HTTP/1.1 of the app behind them, as if they talked
 * directly: framing, trailers, interim answers, upgrades, large bodies at the pace of the slower side, and both ways
 * of breaking off.
 * Real parts: dev issuer, citadel and two sidecars as processes; the test is both apps.
 */
import { createHash } from 'node:crypto';
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import { expect } from 'chai';
import { clientFrame, type FeaturedApp, featuredApp, PIECE, PIECES } from '../support/featured-app.ts';
import { type CallWish, httpCall } from '../support/http-call.ts';
import { startMesh, type TestMesh } from '../support/mesh.ts';
import { RawClient } from '../support/raw-client.ts';
import { until } from '../support/until.ts';

describe('HTTP through two sidecars', () => {
  let app: FeaturedApp;
  let mesh: TestMesh;
  let port: number;

  before(async function () {
    this.timeout(60_000);
    app = await featuredApp();
    mesh = await startMesh({
      services: [
        { name: 'orders', appPort: app.port },
        { name: 'web', next: 'orders', appPort: app.port },
      ],
    });
    port = mesh.service('web').plan.outbound['orders']!;
  });
  after(async () => {
    await mesh?.[Symbol.asyncDispose]();
    await app?.[Symbol.asyncDispose]();
  });

  const call = (wish: Omit<CallWish, 'port'>) => httpCall({ port, ...wish });

  it('tells the app who calls, as the two sidecars proved to each other', async () => {
    const [orders, web] = mesh.plan.services;
    const { text } = await call({ path: '/who', headers: { 'X-Forwarded-Client-Cert': 'URI=evil' } });
    expect(text).to.match(/^By=\S+;Hash=[0-9a-f]{64};Subject="";URI=\S+$/);
    expect(text)
      .to.include(`By=${orders!.spiffeId};`)
      .and.to.include(`;URI=${web!.spiffeId}`)
      .and.not.to.include('evil');
  });

  it('keeps one connection alive over many requests, on both sides', async () => {
    using agent = disposable(new Agent({ keepAlive: true, maxSockets: 1 }));
    const opened = new Set<unknown>();
    app.connections.clear();
    for (let at = 0; at < 20; at++) {
      const write = (one: ClientRequest): void => void one.on('socket', (socket) => opened.add(socket)).end();
      expect((await call({ path: '/status/200', agent: agent.value, write })).status).to.equal(200);
    }
    expect(opened.size).to.equal(1);
    expect(app.connections.size).to.equal(1);
  });

  it('keeps a body with a length one with a length', async () => {
    const { text, headers } = await call({
      method: 'POST',
      path: '/echo',
      body: 'seven b',
      headers: { 'content-length': '7' },
    });
    expect([text, headers['x-framing'], headers['content-length']]).to.deep.equal(['seven b', 'length', '7']);
  });

  it('carries chunks and trailers both ways', async () => {
    const { text, headers, trailers } = await call({
      method: 'POST',
      path: '/echo',
      headers: { 'transfer-encoding': 'chunked', trailer: 'x-checksum', te: 'trailers' },
      write: (one) => {
        one.write('one ');
        one.write('two');
        one.addTrailers({ 'x-checksum': 'abc' });
        one.end();
      },
    });
    expect([text, headers['x-framing'], headers['transfer-encoding']]).to.deep.equal(['one two', 'chunked', 'chunked']);
    expect(trailers).to.deep.equal({ 'x-checksum': 'abc' });
  });

  it('passes on a 100 that the app grants, and the body only then', async () => {
    const { text, status } = await call({
      method: 'POST',
      path: '/echo',
      headers: { expect: '100-continue', 'content-length': '4' },
      write: (one) => {
        one.on('continue', () => one.end('body'));
        one.flushHeaders();
      },
    });
    expect([status, text]).to.deep.equal([200, 'body']);
  });

  it('passes on the final answer of an app that does not want the body', async () => {
    let continued = false;
    const { status, text } = await call({
      method: 'POST',
      path: '/unwanted',
      headers: { expect: '100-continue', 'content-length': '4' },
      write: (one) => {
        one.on('continue', () => {
          continued = true;
        });
        one.flushHeaders();
      },
    });
    expect([status, text, continued]).to.deep.equal([417, 'unwanted', false]);
  });

  it('passes on early hints', async () => {
    const { interim, text } = await call({ path: '/hints' });
    expect([interim, text]).to.deep.equal([[103], 'hinted']);
  });

  it('answers HEAD with the length of the body and without it', async () => {
    const { headers, text } = await call({ method: 'HEAD', path: '/large' });
    expect([headers['content-length'], text]).to.deep.equal([String(PIECE.length * PIECES), '']);
  });

  for (const status of [204, 304]) {
    it(`carries ${status} without a body, and the connection serves the next request`, async () => {
      await using client = await RawClient.connect(port);
      await client.send(`GET /status/${status} HTTP/1.1\r\nHost: a\r\n\r\n`).until('\r\n\r\n');
      await client.send('GET /status/200 HTTP/1.1\r\nHost: a\r\n\r\n').until(/ 200 OK\r\n[\s\S]*\r\n\r\n/);
      const [first, second] = client.text.split('\r\n\r\n');
      expect(first)
        .to.match(new RegExp(`^HTTP/1\\.1 ${status} `))
        .and.match(/\r\netag: "1"/i);
      expect(first).not.to.match(/transfer-encoding/i);
      expect(second).to.match(/^HTTP\/1\.1 200 OK/);
    });
  }

  it('delivers 64 MiB down intact', async function () {
    this.timeout(30_000);
    const { body } = await call({ path: '/large' });
    expect(sha256Of(body)).to.equal(sha256Of(...Array<Buffer>(PIECES).fill(PIECE)));
  });

  it('delivers 64 MiB up intact, at the pace of an app that reads late', async function () {
    this.timeout(30_000);
    let sent = 0;
    const answer = call({
      method: 'POST',
      path: '/gated',
      write: (one) => void upload(one, (bytes) => (sent = bytes)),
    });
    let [last, looks] = [-1, 0];
    await until('the caller is held', () => {
      looks = sent === last && sent > 0 ? looks + 1 : 0;
      last = sent;
      return looks > 15;
    });
    // What is on its way is in the buffers of two processes and of the kernel on three hops.
    expect(sent).to.be.below(32 << 20);
    app.openGate();
    expect((await answer).text).to.equal(sha256Of(...Array<Buffer>(PIECES).fill(PIECE)));
    expect(sent).to.equal(PIECE.length * PIECES);
  });

  it('delivers an answer that comes before the end of the request, and serves the next one', async () => {
    using agent = disposable(new Agent({ keepAlive: true, maxSockets: 1 }));
    const { text } = await call({
      method: 'POST',
      path: '/early',
      agent: agent.value,
      write: (one) => {
        one.write('a beginning');
        one.on('response', () => one.end('and an end'));
      },
    });
    expect(text).to.equal('early');
    expect((await call({ path: '/status/200', agent: agent.value })).status).to.equal(200);
  });

  it('tells the app when the caller leaves before the answer', async () => {
    const one = request({ host: '127.0.0.1', port, path: '/wait', agent: false }).on('error', () => {});
    one.end();
    await until('the app is asked', () => app.asked.includes('/wait'));
    one.destroy();
    await until('the app is told', () => app.broken.includes('/wait'));
  });

  it('tells the app when the caller leaves in the middle of the answer', async () => {
    const one = request({ host: '127.0.0.1', port, path: '/endless', agent: false }).on('error', () => {});
    one.on('response', (answer: IncomingMessage) => answer.once('data', () => one.destroy()));
    one.end();
    await until('the app is told', () => app.broken.includes('/endless'));
  });

  for (const path of ['/half', '/half-chunked']) {
    it(`does not let an answer that breaks off look complete: ${path}`, async () => {
      const failed = await call({ path }).then(
        ({ status, text }) => `complete: ${status} ${text}`,
        (error: NodeJS.ErrnoException) => error.code,
      );
      expect(failed).to.equal('ECONNRESET');
    });
  }

  it('switches to WebSocket and carries frames both ways, those sent ahead included', async () => {
    await using client = await RawClient.connect(port);
    client.send(UPGRADE('/socket') + clientFrame('ahead').toString('latin1'));
    await client.until('echo ahead');
    expect(client.text).to.match(/^HTTP\/1\.1 101 /);
    expect(client.text).to.match(/\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/i); // RFC 6455 §1.3
    expect(client.text).to.include('\x81\x07welcome');
    await client.send(clientFrame('later').toString('latin1')).until('\x81\x0aecho later');
    await client.end().until('\x81\x03bye');
    await client.closed();
  });

  it('passes on a refused upgrade as the answer it is', async () => {
    await using client = await RawClient.connect(port);
    const text = await client.send(UPGRADE('/closed')).closed();
    expect(text).to.match(/^HTTP\/1\.1 403 Forbidden\r\n[\s\S]*X-Why: closed\r\n[\s\S]*\r\n\r\nno$/);
  });
});

const UPGRADE = (path: string): string =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

/** Sends as fast as it is let. */
function upload(call: ClientRequest, sent: (bytes: number) => void): void {
  let pieces = 0;
  const more = (): void => {
    while (pieces < PIECES) {
      sent(++pieces * PIECE.length);
      if (!call.write(PIECE)) return;
    }
    call.end();
  };
  call.on('drain', more);
  more();
}

function sha256Of(...parts: Buffer[]): string {
  const sum = createHash('sha256');
  for (const part of parts) sum.update(part);
  return sum.digest('hex');
}

function disposable(agent: Agent): Disposable & { value: Agent } {
  return { value: agent, [Symbol.dispose]: () => agent.destroy() };
}
