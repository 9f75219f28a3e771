/**
 * Promise: with `protocol: auto` on both sides an app need not say what it speaks. Requests are read (and a claimed
 * identity taken out), the calls of HTTP/2 are counted as client and server saw them, everything else comes through
 * byte by byte, TLS of the app's own and protocols in which the server speaks first included, and soon.
 * Real parts: dev issuer, citadel and two sidecars as processes; node:http2 and OpenSSL as apps.
 */

import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import http2, { type ClientHttp2Session, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { freePorts } from '../../scripts/local-mesh/ports.ts';
import { Running } from '../../scripts/local-mesh/running.ts';
import { type App, httpApp, type RawApp, rawApp } from '../support/app-server.ts';
import { startMesh, type TestMesh } from '../support/mesh.ts';
import { RawClient } from '../support/raw-client.ts';
import { seriesAt, sumOf } from '../support/series.ts';
import { tool } from '../support/tool.ts';
import { until } from '../support/until.ts';

const DETECT_MS = 300;
const [WEB, ORDERS] = ['web', 'orders'].map((name) => `spiffe://cluster.local/ns/shop/sa/${name}`) as [string, string];
/** Path and status. */
const CALLS = [
  ['/shop.Orders/Get', '0'],
  ['/shop.Orders/Missing', '5'],
] as const;
const BANNER = '220 mail.example ESMTP\r\n';

describe('two sidecars that detect protocols', () => {
  const apps: AsyncDisposable[] = [];
  let web: App<Server>;
  let mail: RawApp;
  let redis: RawApp;
  /** One behind a port that detects, one behind a port that is said to carry HTTP/2. */
  let grpc: [Http2Server, Http2Server];
  let openssl: Running;
  let folder: string;
  let mesh: TestMesh;

  before(async function () {
    this.timeout(60_000);
    web = await httpApp((request, response) => response.end(String(request.headers['x-forwarded-client-cert'])));
    mail = await rawApp((socket) => {
      socket.write(BANNER);
      socket.on('data', (bytes) => socket.write(`250 ${bytes}`));
    });
    redis = await rawApp((socket) => socket.on('data', (bytes) => socket.write(`+${bytes.length}\r\n`)));
    grpc = [grpcApp(), grpcApp()];
    for (const server of grpc) await once(server.listen(0, '127.0.0.1'), 'listening');
    const [tlsPort, tunnelPort] = (await freePorts(2)) as [number, number];
    folder = await mkdtemp(join(tmpdir(), 'sallyport-own-tls-'));
    openssl = await ownTlsApp(folder, tlsPort);
    apps.push(web, mail, redis);
    const places = {
      http: web.port,
      mail: mail.port,
      redis: redis.port,
      auto: portOf(grpc[0]),
      h2: portOf(grpc[1]),
      tls: tlsPort,
    };
    const protocolOf = (name: string) => (name === 'h2' ? 'h2' : 'auto');
    const settings = { limits: { detectMs: DETECT_MS, drainSeconds: 2 } };
    const inbound = Object.entries(places).map(([name, port]) => ({
      name,
      app: `127.0.0.1:${port}`,
      protocol: protocolOf(name),
    }));
    const outbound = Object.entries(places).map(([name, port]) => ({
      ...{
        name,
        to: `127.0.0.1:${port}`,
        peers: [ORDERS],
        protocol: protocolOf(name),
        transport: 'tunnel',
        tunnelPort,
      },
    })) as never;
    mesh = await startMesh({
      services: [
        {
          name: 'orders',
          appPort: 9,
          settings: { ...settings, inbound, tunnel: { listen: `127.0.0.1:${tunnelPort}` } },
        },
        { name: 'web', appPort: 9, settings, outbound },
      ],
    });
  });
  after(async () => {
    await mesh?.[Symbol.asyncDispose]();
    await openssl?.stop();
    for (const server of grpc ?? []) server.close();
    for (const app of apps) await app[Symbol.asyncDispose]();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  const way = (name: string): number => mesh.service('web').plan.outbound[name]!;
  /** The sum on both sides: what the caller's sidecar counts, and what the other one does. */
  async function counted(name: string, labels: Readonly<Record<string, string>>): Promise<[number, number]> {
    const side = async (service: string): Promise<number> =>
      sumOf(await seriesAt(mesh.service(service).plan.ports.metrics), name, labels);
    return Promise.all([side('web'), side('orders')]);
  }
  const bothCount = (what: string, name: string, labels: Readonly<Record<string, string>>, count: number) =>
    until(what, async () => (await counted(name, labels)).every((value) => value === count));

  it('read requests, and say who called whatever the caller claims, at once or after a silence', async () => {
    for (const isSilent of [false, true]) {
      const before = await connectionsOf(web);
      await using client = await RawClient.connect(way('http'));
      if (isSilent) await until('the app was dialed', async () => (await connectionsOf(web)) > before);
      client.send(
        'GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Client-Cert: URI=spiffe://evil\r\nConnection: close\r\n\r\n',
      );
      const answer = await client.closed();
      expect(answer).to.include(`URI=${WEB}`).and.not.to.include('evil');
    }
    await bothCount('two requests', 'istio_requests_total', { request_protocol: 'http', response_code: '200' }, 2);
  });

  it('carry a text protocol as it is', async () => {
    await using client = await RawClient.connect(way('redis'));
    await client.send('*1\r\n$4\r\nPING\r\n').until('+14\r\n');
    expect((await redis.connection(0)).text).to.equal('*1\r\n$4\r\nPING\r\n');
  });

  it('let a server speak first, within a second, and at once from then on', async () => {
    for (const withinMs of [1000, DETECT_MS]) {
      const start = performance.now();
      await using client = await RawClient.connect(way('mail'));
      await client.until(BANNER);
      expect(performance.now() - start).to.be.below(withinMs);
      await client.send('EHLO here\r\n').until('250 EHLO here\r\n');
    }
  });

  it('carry TLS between the apps themselves, end to end', async () => {
    const { stdout } = await tool(
      'openssl',
      ['s_client', '-connect', `127.0.0.1:${way('tls')}`, '-CAfile', 'cert.pem', '-verify_return_error', '-quiet'],
      { cwd: folder, input: 'sallyport\nCLOSE\n' },
    );
    expect(stdout).to.include('tropyllas');
    await until(
      'it is counted as bytes',
      async () => (await counted('istio_tcp_connections_opened_total', {}))[1] >= 4,
    );
  });

  for (const [turn, name] of ['auto', 'h2'].entries()) {
    it(`count the calls of gRPC on both sides, with their own status, and change no byte: ${name}`, async () => {
      const client = http2.connect(`http://127.0.0.1:${way(name)}`);
      const message = randomBytes(200_000);
      for (const [path, status] of CALLS) {
        for (let call = 0; call < 3; call++) {
          const answer = await unary(client, path, message);
          expect([answer.status, answer.sha256]).to.deep.equal([status, sha256(message)]);
        }
      }
      const plain = await unary(client, '/plain', Buffer.from('no call of gRPC'), 'text/plain');
      expect(plain.sha256).to.equal(sha256(Buffer.from('no call of gRPC')));
      client.close();
      const who = { source_principal: WEB, destination_principal: ORDERS, response_code: '200' };
      for (const [, status] of CALLS) {
        const labels = { ...who, request_protocol: 'grpc', grpc_response_status: status };
        await bothCount(`status ${status}`, 'istio_requests_total', labels, 3 * (turn + 1));
      }
      expect(await counted('sidecar_h2_uncounted_connections_total', {})).to.deep.equal([0, 0]);
    });
  }
});

/** Echoes the message; the path decides how the call ends. */
function grpcApp(): Http2Server {
  const server = http2.createServer();
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    const isGrpc = headers['content-type'] === 'application/grpc';
    stream.respond({ ':status': 200, 'content-type': String(headers['content-type']) }, { waitForTrailers: isGrpc });
    stream.on('wantTrailers', () => {
      stream.sendTrailers({ 'grpc-status': headers[':path'] === '/shop.Orders/Missing' ? '5' : '0' });
    });
    stream.on('error', () => {});
    stream.pipe(stream);
  });
  return server;
}

async function unary(
  client: ClientHttp2Session,
  path: string,
  message: Buffer,
  type = 'application/grpc',
): Promise<{ status: unknown; sha256: string }> {
  const call = client.request({ ':method': 'POST', ':path': path, 'content-type': type, te: 'trailers' });
  let status: unknown;
  call.on('trailers', (trailers) => (status = trailers['grpc-status']));
  call.end(message);
  const hash = createHash('sha256');
  for await (const part of call) hash.update(part as Buffer);
  return { status, sha256: hash.digest('hex') };
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function connectionsOf({ server }: App<Server>): Promise<number> {
  return new Promise((resolve, reject) =>
    server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  );
}

function portOf(server: Http2Server): number {
  return (server.address() as AddressInfo).port;
}

/** OpenSSL's server: answers each line with its letters the other way round. */
async function ownTlsApp(folder: string, port: number): Promise<Running> {
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const keys = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'key.pem'];
  await tool('openssl', ['req', '-x509', ...keys, '-out', 'cert.pem', '-days', '2', ...subject], { cwd: folder });
  const files = ['-cert', join(folder, 'cert.pem'), '-key', join(folder, 'key.pem')];
  const running = new Running({
    name: 'openssl s_server',
    command: ['openssl', 's_server', '-accept', `127.0.0.1:${port}`, '-rev', ...files],
  });
  await until('OpenSSL listens', () => running.lines.some((line) => line.startsWith('ACCEPT')));
  return running;
}
