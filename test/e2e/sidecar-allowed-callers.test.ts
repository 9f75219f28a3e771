/**
 * Promise: an app with a list of callers is reached by those alone, through tunnels and without them. Whoever proved to
 * be somebody else gets a coded no before the app sees a byte, in a tunnel only on that stream: others of the session go
 * on. Both sidecars say in log and metrics what it was.
 * Real parts: dev issuer, citadel and two sidecars as processes; the test is the apps, and peers without a sidecar.
 */
import { expect } from 'chai';
import { freePorts } from '../../scripts/local-mesh/ports.ts';
import type { LogEvent } from '../../scripts/local-mesh/running.ts';
import { type CountingApp, countingApp } from '../support/counting-app.ts';
import { plannedMesh, type TestMesh } from '../support/mesh.ts';
import { type ForgedOptions, meshAuthority } from '../support/mesh-authority.ts';
import { type MeshSvid, metricAt, obtainSvid, peerOf } from '../support/one-sidecar.ts';
import { RawClient, say } from '../support/raw-client.ts';
import { HonestPeer } from '../support/tunnel-peers.ts';

const ONCE = 'GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const ID = (path: string): string => `spiffe://cluster.local/ns/${path}`;
const NOT_ALLOWED = 'sidecar_refusals_total{code="caller_not_allowed"}';

describe('an app with a list of callers', () => {
  /** `web` may call it. */
  let open: CountingApp;
  /** `guest` may, and whoever is in the namespace `stock`. */
  let shut: CountingApp;
  let mesh: TestMesh;
  let tunnel: number;
  let shutPort: number;
  let forge: (options?: ForgedOptions) => MeshSvid;
  /** Requests that `shut` was to get. */
  let honest = 0;

  before(async function () {
    this.timeout(60_000);
    open = await countingApp();
    shut = await countingApp();
    const [tunnelPort, openPort, closedPort] = (await freePorts(3)) as [number, number, number];
    tunnel = tunnelPort;
    shutPort = closedPort;
    const inbound = [
      { name: 'open', port: openPort, app: open.port, allow: [ID('shop/sa/ledger'), ID('shop/sa/web')] },
      { name: 'shut', port: shutPort, app: shut.port, allow: [ID('shop/sa/guest'), ID('stock/*')] },
    ].map(({ name, port, app, allow }) => ({
      name,
      listen: `127.0.0.1:${port}`,
      app: `127.0.0.1:${app}`,
      protocol: 'auto',
      allow,
    }));
    const way = { peers: [ID('shop/sa/orders')], tunnelPort: tunnel };
    const outbound = [
      { ...way, name: 'open', transport: 'tunnel', to: `127.0.0.1:${open.port}` },
      { ...way, name: 'open-mtls', transport: 'mtls', to: `127.0.0.1:${openPort}` },
      { ...way, name: 'shut', transport: 'tunnel', to: `127.0.0.1:${shut.port}` },
      { ...way, name: 'shut-bytes', transport: 'tunnel', to: `127.0.0.1:${shut.port}`, protocol: 'tcp' },
      { ...way, name: 'shut-mtls', transport: 'mtls', to: `127.0.0.1:${shutPort}` },
    ] as const;
    mesh = await plannedMesh({
      services: [
        { name: 'orders', appPort: open.port, settings: { inbound, tunnel: { listen: `127.0.0.1:${tunnel}` } } },
        { name: 'web', appPort: open.port, outbound },
        { name: 'guest', appPort: open.port },
      ],
    });
    await mesh.startIssuer();
    await mesh.startCitadel();
    await Promise.all(['orders', 'web'].map((name) => mesh.startService(name)));
    forge = await meshAuthority(mesh);
  });
  after(async () => {
    await mesh?.[Symbol.asyncDispose]();
    await open?.[Symbol.asyncDispose]();
    await shut?.[Symbol.asyncDispose]();
  });
  afterEach(() => expect(shut.requests()).to.deep.equal(Array.from({ length: honest }, () => 'GET /x HTTP/1.1')));

  /** A port of the sidecar of `web`, for its app. */
  const way = (name: string): number => mesh.service('web').plan.outbound[name]!;
  const counted = (name: string, series: string): Promise<number> =>
    metricAt(mesh.service(name).plan.ports.metrics, series);
  const told = (name: string, event: string): Promise<LogEvent> =>
    mesh.service(name).sidecar.next(event, (one) => one.event === event);

  it('is reached by a caller that the list has, through the tunnel and without one', async () => {
    for (const name of ['open', 'open-mtls'])
      expect(await say(way(name), ONCE), name).to.match(/^HTTP\/1\.1 200 OK\r\n[\s\S]*served$/);
    expect(open.requests()).to.have.length(2);
  });

  it('is not reached through the tunnel by a caller that it has not, whose app gets 403 and the code', async () => {
    const before = [await counted('orders', NOT_ALLOWED), await counted('orders', OK)];
    const there = told('orders', 'tunnel_refused');
    const here = told('web', 'request_refused');
    const answer = await say(way('shut'), ONCE);
    expect(answer)
      .to.match(/^HTTP\/1\.1 403 Forbidden\r\n/)
      .and.match(/\r\nX-Sallyport-Refusal: tunnel_forbidden\r\n[\s\S]*"status":403,"code":"tunnel_forbidden"/);
    expect((await there).fields).to.include({
      code: 'caller_not_allowed',
      status: 403,
      peer: ID('shop/sa/web'),
      reason: 'not in `allow` of inbound listener shut',
    });
    expect((await here).fields).to.include({ code: 'tunnel_forbidden', reason: 'status 403' });
    expect(await counted('orders', NOT_ALLOWED)).to.equal(before[0]! + 1);
    // The session was let in: it is a stream that was not.
    expect(await counted('orders', OK)).to.be.within(before[1]!, before[1]! + 1);
    expect(await counted('web', 'sidecar_refusals_total{code="tunnel_forbidden"}')).to.equal(1);
    const page = await (await fetch(`http://127.0.0.1:${mesh.service('web').plan.ports.metrics}/metrics`)).text();
    expect(page).to.match(/^istio_requests_total\{(?=[^}]*response_code="403")(?=[^}]*response_flags="UAEX").*\} 1$/m);
  });

  it('is not reached without a tunnel either: the connection is closed behind the handshake', async () => {
    const before = [await counted('orders', NOT_ALLOWED), await counted('orders', TURNED_AWAY)];
    const there = told('orders', 'peer_refused');
    expect(await say(way('shut-mtls'), ONCE)).to.match(/^HTTP\/1\.1 502 [\s\S]*"code":"upstream_reset"/);
    expect((await there).fields).to.include({
      code: 'caller_not_allowed',
      peer: ID('shop/sa/web'),
      listener: 'shut',
      remoteAddress: '127.0.0.1',
    });
    expect(await counted('orders', NOT_ALLOWED)).to.equal(before[0]! + 1);
    expect(await counted('orders', TURNED_AWAY)).to.equal(before[1]! + 1);
  });

  it('is not reached by bytes, and their connection breaks', async () => {
    await using client = await RawClient.connect(way('shut-bytes'));
    client.send('hello');
    await client.closed();
    expect([client.text, (client.error as NodeJS.ErrnoException | undefined)?.code]).to.deep.equal(['', 'ECONNRESET']);
  });

  it('takes nothing from other streams of a session in which it was asked for', async () => {
    const before = [await counted('orders', NOT_ALLOWED), await counted('orders', OK)];
    await using peer = await HonestPeer.connect(tunnel, await obtainSvid(mesh, 'web'), open.port);
    const underWay = await peer.open();
    let heard = '';
    underWay.setEncoding('latin1').on('data', (part: string) => (heard += part));
    underWay.write('GET /x HTTP/1.1\r\nHost: a\r\n');
    for (let turn = 0; turn < 20; turn++) expect(await statusOf(peer, shut.port)).to.equal(403);
    const ended = new Promise((resolve) => underWay.once('end', resolve));
    underWay.write('Connection: close\r\n\r\n');
    await ended;
    expect(heard).to.match(/^HTTP\/1\.1 200 OK\r\n[\s\S]*served$/);
    expect(await peer.ask()).to.match(/served$/);
    expect(await counted('orders', NOT_ALLOWED)).to.equal(before[0]! + 20);
    expect(await counted('orders', OK)).to.equal(before[1]! + 1);
  });

  it('is one of several with lists of their own: who may call one may not for that call another', async () => {
    const guest = await obtainSvid(mesh, 'guest');
    await using peer = await HonestPeer.connect(tunnel, guest, shut.port);
    expect(await peer.ask('/x')).to.match(/served$/);
    expect(await statusOf(peer, open.port)).to.equal(403);
    await using without = await peerOf(shutPort, guest);
    expect(await without.send(ONCE).closed()).to.match(/served$/);
    honest += 2;
  });

  for (const path of ['stock/sa/counter', 'stock/x', 'stock/sa/counter/of/nuts']) {
    it(`is reached by everyone below a name of the list: ${path}`, async () => {
      const svid = forge({ uris: [ID(path)] });
      await using peer = await HonestPeer.connect(tunnel, svid, shut.port);
      expect(await peer.ask('/x')).to.match(/served$/);
      await using without = await peerOf(shutPort, svid);
      expect(await without.send(ONCE).closed()).to.match(/served$/);
      honest += 2;
    });
  }

  for (const path of [
    'stock',
    'stocks/sa/counter',
    'stoc/sa/counter',
    'shop/sa/guests',
    'shop/sa/guest/x',
    'shop/sa',
  ]) {
    it(`is not reached by a name that is only alike: ${path}`, async () => {
      const svid = forge({ uris: [ID(path)] });
      await using peer = await HonestPeer.connect(tunnel, svid, shut.port);
      expect(await statusOf(peer, shut.port)).to.equal(403);
      await using without = await peerOf(shutPort, svid);
      expect(await without.send(ONCE).closed()).to.equal('');
    });
  }
});

const OK = 'sidecar_handshakes_total{direction="inbound",result="ok"}';
const TURNED_AWAY = 'sidecar_handshakes_total{direction="inbound",result="caller_not_allowed"}';

/** Of a CONNECT that is expected to be refused. */
async function statusOf(peer: HonestPeer, port: number): Promise<number> {
  const refusal: unknown = await peer.open(`127.0.0.1:${port}`).then(
    () => 200,
    (error: Error) => Number(error.message.replace('status ', '')),
  );
  return refusal as number;
}
