/**
 * Promise: what goes wrong with one connection in a tunnel stays with that connection; when the whole tunnel goes, each
 * caller is told and no answer looks complete that is not; and when the other sidecar leaves in order, nobody notices.
 * Real parts: dev issuer, citadel and three sidecars as processes; the test is the apps and the callers.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import net from 'node:net';
import { expect } from 'chai';
import { freePorts } from '../../scripts/local-mesh/ports.ts';
import { type App, httpApp } from '../support/app-server.ts';
import { FullLoad } from '../support/full-load.ts';
import { plannedMesh, type TestMesh } from '../support/mesh.ts';
import { metricAt } from '../support/one-sidecar.ts';
import { RawClient } from '../support/raw-client.ts';
import { until } from '../support/until.ts';

const MIB = 1 << 20;
const FLOOD = 64 * MIB;
/** Callers that do not read: with a window of the usual size each, more than a session may hold. */
const CROWD = 200;
/** What windows and buffers may hold of one stream that is not read, on two sidecars, and the garbage of full load. */
const MOST_GROWTH = 128 * MIB;
const GET = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

describe('tunnels in trouble', () => {
  let app: App<unknown>;
  let mesh: TestMesh;
  /** Of `web`: to orders alone, and to orders and spare. */
  let alone: number;
  let either: number;
  /** Bytes that the app has written to callers of `/flood`. */
  let flooded = 0;
  const open: ServerResponse[] = [];

  before(async function () {
    this.timeout(60_000);
    app = await httpApp(answer);
    const [tunnel, one, two] = await freePorts(3);
    [alone, either] = [one!, two!];
    const at = (host: string): Readonly<Record<string, unknown>> => ({
      limits: { drainSeconds: 10 },
      tunnel: { listen: `${host}:${tunnel}` },
    });
    const way = (name: string, port: number, hosts: readonly string[]): object => ({
      name,
      listen: `127.0.0.1:${port}`,
      to: hosts.map((host) => `${host}:${app.port}`),
      peers: ['orders', 'spare'].map((peer) => `spiffe://cluster.local/ns/shop/sa/${peer}`),
      tunnelPort: tunnel,
    });
    const outbound = [way('alone', alone, ['127.0.0.1']), way('either', either, ['127.0.0.1', '127.0.0.2'])];
    mesh = await plannedMesh({
      services: [
        { name: 'orders', appPort: app.port, settings: at('127.0.0.1') },
        { name: 'spare', appPort: app.port, settings: at('127.0.0.2') },
        { name: 'web', appPort: app.port, settings: { outbound, balance: { ejectionSeconds: 1 } } },
      ],
    });
    await mesh.start();
  });
  after(async () => {
    await mesh?.[Symbol.asyncDispose]();
    await app?.[Symbol.asyncDispose]();
  });
  afterEach(() => {
    for (const response of open.splice(0)) response.destroy();
  });

  function answer({ url = '' }: IncomingMessage, response: ServerResponse): void {
    if (url === '/flood') return void flood(response);
    if (url === '/never') return void open.push(response);
    if (url === '/length') response.writeHead(200, { 'content-length': 1_000 });
    if (url === '/') return void response.end('served');
    response.write('begun');
    open.push(response);
  }

  function flood(response: ServerResponse): void {
    response.writeHead(200, { 'content-length': FLOOD });
    const part = Buffer.alloc(65_536, 'x');
    let sent = 0;
    const go = (): void => {
      while (sent < FLOOD && !response.destroyed) {
        sent += part.length;
        flooded += part.length;
        if (!response.write(part)) return void response.once('drain', go);
      }
      response.end();
    };
    go();
  }

  const memory = async (name: string): Promise<number> =>
    metricAt(mesh.service(name).plan.ports.metrics, 'process_resident_memory_bytes');
  const served = async (port: number): Promise<boolean> => {
    await using client = await RawClient.connect(port);
    return (await client.send(GET('/')).until('\r\n\r\n')).includes(' 200 OK');
  };

  it('one caller that does not read harms none of fifty beside it, and gets everything in the end', async () => {
    const load = await FullLoad.start({ port: alone, connections: 50 });
    await until('they run', () => load.answered > 2_000);
    const before = [await memory('web'), await memory('orders')];
    const stalled = net.connect({ port: alone, host: '127.0.0.1' });
    stalled.write(GET('/flood'));
    await until(
      'the app is not read any more',
      standsStill(() => flooded),
    );
    expect(flooded).to.be.within(1, FLOOD / 2);
    const count = load.answered;
    await until('the others go on', () => load.answered > count + 5_000);
    for (const [at, name] of ['web', 'orders'].entries())
      expect((await memory(name)) - before[at]!, name).to.be.below(MOST_GROWTH);
    let bytes = 0;
    stalled.on('data', (part: Buffer) => {
      bytes += part.length;
    });
    await until('all of it has come', () => bytes > FLOOD);
    stalled.destroy();
    expect((await load.stop()).failures).to.deep.equal([]);
  });

  it('hundreds of callers that do not read harm none beside them either', async () => {
    const before = flooded;
    const stalled = Array.from({ length: CROWD }, () => net.connect({ port: alone, host: '127.0.0.1' }));
    for (const socket of stalled) socket.write(GET('/flood'));
    await until(
      'the app is not read any more',
      standsStill(() => flooded - before),
      40_000,
    );
    const load = await FullLoad.start({ port: alone, connections: 20 });
    await until('the others are served', () => load.answered > 2_000);
    for (const socket of stalled) socket.destroy();
    expect((await load.stop()).failures).to.deep.equal([]);
  });

  it('an app that does not answer some callers harms none of the others', async () => {
    const silent = await Promise.all(Array.from({ length: 100 }, () => RawClient.connect(alone)));
    for (const client of silent) client.send(GET('/never'));
    await until('all wait', () => open.length === 100);
    const load = await FullLoad.start({ port: alone, connections: 20 });
    await until('the others are served', () => load.answered > 2_000);
    expect((await load.stop()).failures).to.deep.equal([]);
    for (const client of silent) await client[Symbol.asyncDispose]();
    await until('the app is told of all that left', () => open.every(({ destroyed }) => destroyed));
  });

  for (const [what, path] of [
    ['of a told length', '/length'],
    ['in chunks', '/chunks'],
  ] as const) {
    it(`an answer ${what} that the app breaks off does not look complete`, async () => {
      await using client = await RawClient.connect(alone);
      await client.send(GET(path)).until('begun');
      open.pop()!.destroy();
      await client.closed();
      expect(isBroken(client)).to.equal(true);
      expect(await served(alone)).to.equal(true);
    });

    it(`an answer ${what} does not look complete when the other sidecar is killed, and the next caller is served`, async () => {
      const clients = await Promise.all(Array.from({ length: 20 }, () => RawClient.connect(alone)));
      for (const client of clients) await client.send(GET(path)).until('begun');
      await using waiting = await RawClient.connect(alone);
      waiting.send(GET('/never'));
      await until('the app is asked', () => open.length === 21);
      await mesh.service('orders').sidecar.kill();
      for (const client of clients) await client.closed();
      expect(clients.every(isBroken)).to.equal(true);
      expect(await waiting.until('\r\n\r\n')).to.match(/^HTTP\/1\.1 502 /);
      expect(await served(alone), 'while it is away').to.equal(false);
      await mesh.startService('orders');
      expect(await served(alone), 'when it is back').to.equal(true);
      for (const client of clients) await client[Symbol.asyncDispose]();
    });
  }

  for (const method of ['GET', 'POST'] as const) {
    it(`a sidecar that leaves in order fails no ${method} while there is another one`, async () => {
      const load = await FullLoad.start({ port: either, connections: 40, method });
      const { sidecar: orders, plan } = mesh.service('orders');
      const count = 'istio_requests_total';
      await until(
        'both are asked',
        async () => load.answered > 4_000 && (await total(plan.ports.metrics, count)) > 500,
      );
      await using slow = await RawClient.connect(alone);
      await slow.send(GET('/length')).until('begun');
      orders.child.kill('SIGTERM');
      await orders.event('draining', ({ event }) => event === 'draining');
      const after = load.answered;
      await until('the other one serves all', () => load.answered > after + 4_000);
      open.pop()!.end('x'.repeat(995));
      await slow.until('x'.repeat(995));
      expect(await orders.exited).to.deep.equal({ code: 0, signal: null });
      await mesh.startService('orders');
      expect((await load.stop()).failures).to.deep.equal([]);
    });
  }
});

/** @returns whether it has not changed for a while */
function standsStill(count: () => number): () => boolean {
  let [last, since] = [count(), performance.now()];
  return () => {
    if (count() !== last) [last, since] = [count(), performance.now()];
    return last > 0 && performance.now() - since > 300;
  };
}

function isBroken({ text, error, ended }: RawClient): boolean {
  return !/\r\n0\r\n\r\n$/.test(text) && (error !== undefined || (ended && /content-length: 1000/i.test(text)));
}

async function total(port: number, name: string): Promise<number> {
  const page = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return page
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}
