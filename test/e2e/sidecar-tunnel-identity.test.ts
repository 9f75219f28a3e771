/**
 * Promise: a tunnel session and every stream in it live no longer than the identities of both ends, whichever side
 * dialed: they end in order before that where they can, are cut after the grace where they cannot, and at once when
 * an authority is withdrawn. What was dialed with a certificate carries nothing new after the next one.
 * Real parts: dev issuer, citadel and two sidecars as processes; the test is the apps, peers and a server of tunnels.
 */
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import http2, { type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { expect } from 'chai';
import { freePorts } from '../../scripts/local-mesh/ports.ts';
import { FRAME } from '../../sidecar/tunnel/frame-format.ts';
import type { Field } from '../../sidecar/tunnel/hpack-tables.ts';
import { data, headers, type RawPeer } from '../sidecar/tunnel/tunnel-rig.ts';
import { type RawApp, rawApp } from '../support/app-server.ts';
import { AuthorityFolder, cacertsOf } from '../support/authority-folder.ts';
import { plannedMesh, type TestMesh } from '../support/mesh.ts';
import { type MeshSvid, metricAt, obtainSvid } from '../support/one-sidecar.ts';
import { RawClient } from '../support/raw-client.ts';
import { createTestAuthority, type TestSvidOptions } from '../support/test-authority.ts';
import { framePeer } from '../support/tunnel-peers.ts';
import { until } from '../support/until.ts';

const SECONDS = 5;
const GRACE = 1;
/** For timers and a busy machine: milliseconds. */
const SLACK = 1_500;
const ID = (name: string): string => `spiffe://cluster.local/ns/shop/sa/${name}`;

describe('tunnels and the identities behind them', () => {
  const citadels = createTestAuthority({ trustDomain: 'cluster.local', subject: 'citadel' });
  const other = createTestAuthority({ trustDomain: 'cluster.local', subject: 'other' });
  let app: RawApp;
  let mesh: TestMesh;
  let stranger: TunnelServer;
  /** Of `web`, to the stranger. */
  let port: number;

  before(async function () {
    this.timeout(60_000);
    app = await rawApp();
    stranger = await TunnelServer.start(svidOf('stranger', { notAfter: Date.now() + 600_000 }));
    port = (await freePorts(1))[0]!;
    const settings = { limits: { expiryGraceSeconds: GRACE } };
    const outbound = [
      {
        name: 'stranger',
        listen: `127.0.0.1:${port}`,
        protocol: 'tcp',
        to: `127.0.0.1:${app.port}`,
        peers: [ID('stranger')],
        tunnelPort: stranger.port,
      },
    ];
    mesh = await plannedMesh({
      services: [
        { name: 'orders', protocol: 'tcp', appPort: app.port, settings },
        { name: 'web', appPort: app.port, settings: { ...settings, outbound } },
      ],
    });
    const folder = AuthorityFolder.at(join(mesh.plan.directory, 'authority'));
    const roots = citadels.rootPem + other.rootPem;
    const signing = citadels.intermediate({});
    await mesh.startIssuer();
    await mkdir(folder.path, { recursive: true, mode: 0o700 });
    await folder.put({ ...cacertsOf(signing), 'root-cert.pem': roots });
    await mesh.startCitadel();
    for (const name of ['orders', 'web']) await mesh.startService(name);
  });
  after(async () => {
    await mesh?.[Symbol.asyncDispose]();
    await stranger?.[Symbol.asyncDispose]();
    await app?.[Symbol.asyncDispose]();
  });

  /** Of the other authority. */
  function svidOf(name: string, options: TestSvidOptions = {}): MeshSvid {
    // A certificate knows whole seconds.
    const notAfter = Math.floor((options.notAfter ?? Date.now() + 600_000) / 1000) * 1000;
    const { chainPem, keyPem } = other.svid({ uri: ID(name), ...options, notAfter });
    const rootPem = citadels.rootPem + other.rootPem;
    return { spiffeId: ID(name), certPem: chainPem, keyPem, rootPem, notAfter };
  }

  const fields = (): readonly Field[] => [
    [':method', 'CONNECT'],
    [':authority', `127.0.0.1:${app.port}`],
  ];
  const tunnel = (): number => mesh.service('orders').plan.ports.tunnel;
  const cut = (name: string, reason: string): Promise<number> =>
    metricAt(mesh.service(name).plan.ports.metrics, `sidecar_connections_cut_total{reason="${reason}"}`);

  async function open(peer: RawPeer, stream: number): Promise<RawClient> {
    const at = app.count;
    peer.send(headers(stream, fields()));
    expect(await peer.statusOf(stream)).to.equal('200');
    return app.connection(at);
  }

  const closedAt = (peer: RawPeer): Promise<number> =>
    new Promise((resolve) => {
      const over = (): void => resolve(Date.now());
      peer.socket.once('end', over).once('close', over);
    });

  it('a session without streams ends in order, a stream that goes on is cut after the grace, and who ignores GOAWAY gets nothing new', async () => {
    const svid = await obtainSvid(mesh, 'web', SECONDS);
    await using peer = await framePeer(tunnel(), svid);
    await using idle = await framePeer(tunnel(), svid);
    const before = await cut('orders', 'expiry');
    idle.greet();
    const idleClosed = closedAt(idle);
    peer.greet();
    const server = await open(peer, 1);
    const closed = closedAt(peer);
    const traffic = setInterval(() => peer.socket.destroyed || peer.send(data(1, 'tick')), 20);
    try {
      // The second one has the last stream that is looked at.
      await until('both GOAWAYs', () => peer.of(FRAME.GOAWAY).length === 2);
      const count = app.count;
      peer.send(headers(3, fields()));
      const endedAt = await closed;
      expect(endedAt - svid.notAfter).to.be.within(GRACE * 1000 - 100, GRACE * 1000 + SLACK);
      expect([app.count, peer.of(FRAME.HEADERS, 3)]).to.deep.equal([count, []]);
    } finally {
      clearInterval(traffic);
    }
    expect(await idleClosed).to.be.within(svid.notAfter - SECONDS * 200, svid.notAfter + SLACK);
    expect(await idle.goAway()).to.include({ code: 0 });
    await server.closed();
    expect((server.error as NodeJS.ErrnoException | undefined)?.code).to.equal('ECONNRESET');
    expect(await cut('orders', 'expiry')).to.equal(before + 1);
  });

  it('what was dialed to a certificate is cut after its end, though the server would go on', async () => {
    const svid = svidOf('stranger', { notAfter: Date.now() + SECONDS * 1000 });
    stranger.present(svid);
    await using client = await RawClient.connect(port);
    await client.send('hello').until('hello');
    const traffic = setInterval(() => client.socket.destroyed || client.send('tick'), 20);
    await until('it ends', () => client.ended || client.socket.destroyed);
    clearInterval(traffic);
    expect(Date.now() - svid.notAfter).to.be.within(GRACE * 1000 - 100, GRACE * 1000 + SLACK);
    expect((client.error as NodeJS.ErrnoException | undefined)?.code).to.equal('ECONNRESET');
    stranger.present(svidOf('stranger'));
  });

  it('a session that was dialed with the previous certificate takes nothing new, and finishes what it has', async () => {
    await using before = await RawClient.connect(port);
    await before.send('before').until('before');
    const first = stranger.sessions.at(-1)!;
    const { sidecar } = mesh.service('web');
    const renewed = sidecar.next('a new certificate', ({ event }) => event === 'identity_published');
    sidecar.child.kill('SIGHUP');
    await renewed;
    const streams = first.streams;
    for (let at = 0; at < 5; at++) {
      await using after = await RawClient.connect(port);
      await after.send('after').until('after');
    }
    const second = stranger.sessions.at(-1)!;
    expect(second.serial).not.to.equal(first.serial);
    expect([first.streams, second.streams]).to.deep.equal([streams, 5]);
    await before.send('and on').until('and on');
    before.end();
    await before.closed();
    await until('the first session is over', () => first.session.closed || first.session.destroyed);
  });

  it('all that depends on a withdrawn authority is cut at once on both sides, and nothing else', async () => {
    await using doomed = await framePeer(tunnel(), svidOf('web'));
    await using kept = await framePeer(tunnel(), await obtainSvid(mesh, 'web'));
    doomed.greet();
    kept.greet();
    const lost = [await open(doomed, 1), await open(doomed, 3)];
    const stays = await open(kept, 1);
    await using dialed = await RawClient.connect(port);
    await dialed.send('hello').until('hello');
    const before = [await cut('orders', 'distrust'), await cut('web', 'distrust')];

    await writeFile(join(mesh.plan.directory, 'authority', 'root-cert.pem'), citadels.rootPem, { mode: 0o600 });
    mesh.citadel.child.kill('SIGHUP');
    for (const server of lost) await server.closed();
    await dialed.closed();
    await until('the session of the peer is closed', () => doomed.hasEnded || doomed.socket.destroyed);
    const codes = [...lost, dialed].map(({ error }) => (error as NodeJS.ErrnoException | undefined)?.code);
    expect(codes).to.deep.equal(['ECONNRESET', 'ECONNRESET', 'ECONNRESET']);
    expect(await cut('orders', 'distrust')).to.equal(before[0]! + 1);
    expect(await cut('web', 'distrust')).to.equal(before[1]! + 1);

    kept.send(data(1, 'still here'));
    await stays.until('still here');
    await using refused = await RawClient.connect(port);
    await refused.closed();
    expect(refused.text).to.equal('');
  });
});

interface ServedSession {
  readonly session: ServerHttp2Session;
  /** Of the certificate that its client presented. */
  readonly serial: string;
  streams: number;
}

/** Another implementation at the other end: takes any CONNECT and sends back what comes. */
class TunnelServer implements AsyncDisposable {
  readonly sessions: ServedSession[] = [];
  readonly #server: http2.Http2SecureServer;

  private constructor(svid: MeshSvid) {
    this.#server = http2.createSecureServer({ ...credentialsOf(svid), requestCert: true });
    this.#server.on('session', (session) => {
      const { serialNumber } = (session.socket as TLSSocket).getPeerCertificate();
      const served = { session, serial: serialNumber, streams: 0 };
      this.sessions.push(served);
      session.on('error', () => {}); // the test breaks some
      session.on('stream', (stream: ServerHttp2Stream) => {
        served.streams++;
        stream.on('error', () => {});
        stream.respond({ ':status': 200 });
        stream.pipe(stream);
      });
    });
  }

  static async start(svid: MeshSvid): Promise<TunnelServer> {
    const server = new TunnelServer(svid);
    await once(server.#server.listen(0, '127.0.0.1'), 'listening');
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** From the next handshake on. */
  present(svid: MeshSvid): void {
    this.#server.setSecureContext(credentialsOf(svid));
    for (const { session } of this.sessions) session.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const { session } of this.sessions) session.destroy();
    await closed;
  }
}

function credentialsOf({ certPem, keyPem, rootPem }: MeshSvid): { cert: string; key: string; ca: string } {
  return { cert: certPem, key: keyPem, ca: rootPem };
}
