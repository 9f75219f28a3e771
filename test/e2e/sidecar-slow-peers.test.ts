/**
 * Promise: whoever is slow or idle costs a sidecar little and only for a while. Each kind of stall ends by the limit
 * that is named for it, with its own code, and honest peers are served meanwhile.
 * Real parts: dev issuer, citadel and two sidecars as processes, one with small limits; the test is peers and apps.
 */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import net from 'node:net';
import tls from 'node:tls';
import { expect } from 'chai';
import type { RefusalCode } from '../../shared/errors/refusal.ts';
import { type App, httpApp } from '../support/app-server.ts';
import { plannedMesh, type TestMesh } from '../support/mesh.ts';
import { type MeshSvid, metricAt, obtainSvid, peerOf, tlsTo } from '../support/one-sidecar.ts';
import { until } from '../support/until.ts';

const LIMITS = { handshakeSeconds: 1, headerSeconds: 1, bodyIdleSeconds: 1, idleSeconds: 1 };
/** Beyond a limit: how often limits are looked at, and a busy machine. Milliseconds. */
const SLACK = 2_500;
const IDLE = 2_000;
const MOST = IDLE + 10;
const POST = 'POST /body HTTP/1.1\r\nHost: a\r\n';

describe('a sidecar, called by slow peers', () => {
  let app: App<unknown>;
  let mesh: TestMesh;
  let svid: MeshSvid;
  let bigBytes = 0;
  /** Requests whose connection to the app was closed before they were answered, by path. */
  const abandoned: string[] = [];

  before(async function () {
    this.timeout(60_000);
    app = await httpApp(answer);
    mesh = await plannedMesh({
      services: [
        { name: 'orders', appPort: app.port, settings: { limits: LIMITS } },
        { name: 'web', appPort: app.port, settings: { limits: { connections: MOST, headerSeconds: 60 } } },
      ],
    });
    await mesh.start();
    svid = await obtainSvid(mesh, 'web');
  });
  after(async () => {
    await mesh?.[Symbol.asyncDispose]();
    await app?.[Symbol.asyncDispose]();
  });

  function answer(request: IncomingMessage, response: ServerResponse): void {
    response.on('close', () => {
      if (!response.writableFinished) abandoned.push(request.url ?? '');
    });
    if (request.url === '/stalled') return;
    if (request.url === '/big') {
      const piece = Buffer.alloc(65_536);
      const more = (): void => {
        do bigBytes += piece.length;
        while (response.write(piece));
      };
      response.on('drain', more);
      more();
      return;
    }
    request.resume().on('end', () => response.end('served'));
  }

  const inbound = (name: string): number => mesh.service(name).plan.ports.inbound;
  const counted = (code: RefusalCode, name = 'orders'): Promise<number> =>
    metricAt(mesh.service(name).plan.ports.metrics, `sidecar_refusals_total{code="${code}"}`);

  /** One honest request on a connection of its own. @returns milliseconds */
  async function served(name = 'orders'): Promise<number> {
    const began = performance.now();
    await using client = await peerOf(inbound(name), svid);
    const text = await client.send('GET /honest HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n').closed();
    expect(text).to.match(/ 200 OK\r\n[\s\S]*served/);
    return performance.now() - began;
  }

  /** Honest requests, one after the other, until the work is over: none waits long. */
  async function meanwhileServed<T>(work: Promise<T>, name?: string): Promise<T> {
    let over = false;
    const working = work.finally(() => {
      over = true;
    });
    working.catch(() => {}); // told below, after the honest requests
    do expect(await served(name)).to.be.below(2_000);
    while (!over);
    return working;
  }

  /** The stall ends by its limit, is told once with its code, and others are served meanwhile. */
  async function endsBy(seconds: number, code: RefusalCode, stall: () => Promise<unknown>): Promise<void> {
    const before = await counted(code);
    const told = mesh.service('orders').sidecar.next(code, ({ fields }) => fields['code'] === code);
    const began = performance.now();
    await meanwhileServed(Promise.all([stall(), told]));
    expect(performance.now() - began).to.be.within(seconds * 900, seconds * 1000 + SLACK);
    expect(await counted(code)).to.equal(before + 1);
  }

  it('ends a connection that never begins a handshake by handshakeSeconds', () =>
    endsBy(LIMITS.handshakeSeconds, 'peer_handshake_timeout', () => closedAfter('')));

  it('ends half a handshake by handshakeSeconds', () =>
    // A record that announces 512 bytes of a ClientHello, and not one of them after the first.
    endsBy(LIMITS.handshakeSeconds, 'peer_handshake_timeout', () => closedAfter('\x16\x03\x01\x02\x00\x01')));

  it('ends a head that drips in by headerSeconds', () =>
    endsBy(LIMITS.headerSeconds, 'http_request_timeout', async () => {
      await using client = await peerOf(inbound('orders'), svid);
      client.send('GET / HTTP/1.1\r\nHost: a\r\n');
      const drip = setInterval(() => client.send('X: 1\r\n'), 100);
      await client.closed().finally(() => clearInterval(drip));
      expect(client.text).to.match(/^HTTP\/1\.1 408 [\s\S]*"code":"http_request_timeout"/);
    }));

  for (const [kind, sent] of [
    ['with a length', `${POST}Content-Length: 10\r\n\r\nhalf`],
    ['in chunks', `${POST}Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n`],
  ] as const) {
    it(`ends a body ${kind} that stops by bodyIdleSeconds, and the app sees it broken off`, async () => {
      abandoned.length = 0;
      await endsBy(LIMITS.bodyIdleSeconds, 'http_request_timeout', async () => {
        await using client = await peerOf(inbound('orders'), svid);
        expect(await client.send(sent).closed()).to.match(/^HTTP\/1\.1 408 [\s\S]*"code":"http_request_timeout"/);
      });
      await until('the app is told', () => abandoned.includes('/body'));
    });
  }

  it('gives up an app that does not answer by idleSeconds, with a clear answer', async () => {
    await endsBy(LIMITS.idleSeconds, 'answer_timeout', async () => {
      await using client = await peerOf(inbound('orders'), svid);
      const text = await client.send('GET /stalled HTTP/1.1\r\nHost: a\r\n\r\n').until('answer_timeout"');
      expect(text).to.match(/^HTTP\/1\.1 504 /);
    });
    await until('the app is told', () => abandoned.includes('/stalled'));
  });

  it('cuts a peer that does not read a big answer by idleSeconds, and holds little of it meanwhile', async () => {
    const memory = (): Promise<number> =>
      metricAt(mesh.service('orders').plan.ports.metrics, 'process_resident_memory_bytes');
    const before = await memory();
    await endsBy(LIMITS.idleSeconds, 'connection_idle', async () => {
      const socket = tlsTo(inbound('orders'), svid);
      socket.on('error', () => socket.destroy());
      socket.write('GET /big HTTP/1.1\r\nHost: a\r\n\r\n'); // and nothing is read
      await until('the app has noticed', () => abandoned.includes('/big'));
      socket.destroy();
    });
    // The app stopped when nobody read: what went out is in buffers of the kernel, on three hops.
    expect(bigBytes).to.be.below(32 << 20);
    expect((await memory()) - before).to.be.below(64 << 20);
  });

  it('closes a connection that asks nothing more by idleSeconds, in order', async () => {
    await using client = await peerOf(inbound('orders'), svid);
    await client.send('GET /honest HTTP/1.1\r\nHost: a\r\n\r\n').until('served');
    const began = performance.now();
    await meanwhileServed(client.closed());
    expect(client.ended).to.equal(true);
    expect(performance.now() - began).to.be.within(LIMITS.idleSeconds * 900, LIMITS.idleSeconds * 1000 + SLACK);
  });

  it(`serves honest peers beside ${IDLE} idle ones, refuses what is beyond its limit by name, and recovers`, async function () {
    this.timeout(60_000);
    await using idle = await openIdle(IDLE);
    expect(await served('web')).to.be.below(1_000);
    const before = await counted('connection_limit', 'web');
    const more = Array.from({ length: 2 * (MOST - IDLE) }, () => net.connect(inbound('web'), '127.0.0.1'));
    await until('some are refused', async () => (await counted('connection_limit', 'web')) > before);
    for (const socket of more) socket.destroy();
    await until('there is room again', async () => (await served('web')) < 1_000);
    idle.close();
    const open = `sidecar_connections{direction="inbound",listener="app",leg="mtls"}`;
    await until('all are gone', async () => (await metricAt(mesh.service('web').plan.ports.metrics, open)) === 0);
  });

  async function openIdle(count: number): Promise<AsyncDisposable & { close(): void }> {
    const secureContext = tls.createSecureContext({ cert: svid.certPem, key: svid.keyPem, ca: svid.rootPem });
    const sockets: tls.TLSSocket[] = [];
    for (let begun = 0; begun < count; begun += 50) {
      const batch = Array.from({ length: 50 }, () => tlsTo(inbound('web'), svid, { secureContext }));
      sockets.push(...batch);
      await meanwhileServed(Promise.all(batch.map((socket) => once(socket, 'secureConnect'))), 'web');
    }
    const close = (): void => sockets.forEach((socket) => void socket.destroy());
    return { close, [Symbol.asyncDispose]: async () => close() };
  }

  /** Plain TCP: sends this, and waits for the end. */
  function closedAfter(bytes: string): Promise<void> {
    const socket = net.connect(inbound('orders'), '127.0.0.1');
    socket.on('error', () => socket.destroy());
    socket.resume().write(bytes, 'latin1');
    return new Promise((resolve) => socket.once('close', () => resolve()));
  }
});
