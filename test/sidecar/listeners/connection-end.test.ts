import { once } from 'node:events';
import { Agent, request as openRequest } from 'node:http';
import net from 'node:net';
import tls from 'node:tls';
import { expect } from 'chai';
import { type Clock, systemClock } from '../../../shared/clock/clock.ts';
import type { IdentityStore } from '../../../sidecar/identity/identity-store.ts';
import { httpApp, rawApp } from '../../support/app-server.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { type Gate, ORDERS, openInbound, openOutbound, WEB } from '../../support/gates.ts';
import { RawClient, say } from '../../support/raw-client.ts';
import { createTestAuthority, type TestAuthority } from '../../support/test-authority.ts';
import { publish, storeOf } from '../../support/tls-peers.ts';
import { until } from '../../support/until.ts';

const authority = createTestAuthority({ trustDomain: 'cluster.local' });
/** Longer than any test moves its clock: silence is not what ends things here. */
const PATIENT = { limits: { headerSeconds: 10_000, idleSeconds: 10_000, bodyIdleSeconds: 10_000 } };
const GET = 'GET / HTTP/1.1\r\nHost: orders\r\n\r\n';

/** Valid for the real clock of OpenSSL too, which a test does not move. */
function storeFor(uri: string, clock: Clock, seconds: number): IdentityStore {
  return storeOf(authority, { uri, notAfter: clock.now() + seconds * 1000 }, clock);
}

function renew(store: IdentityStore, uri: string, clock: Clock, seconds: number): void {
  publish(store, authority.svid({ uri, notAfter: clock.now() + seconds * 1000 }));
}

/** A peer without a sidecar: it knows nothing of retirement. */
async function connectAs(store: IdentityStore, port: number): Promise<RawClient> {
  const { chainPem, keyPem } = store.identity!;
  const options = { port, host: '127.0.0.1', cert: chainPem, key: keyPem, ca: [...store.trust!.caPem] };
  const socket = tls.connect({ ...options, checkServerIdentity: () => undefined });
  socket.allowHalfOpen = true;
  await once(socket, 'secureConnect');
  return new RawClient(socket);
}

function post(port: number, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const call = openRequest({ port, host: '127.0.0.1', method: 'POST', agent }, (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode ?? 0));
    });
    call.on('error', reject);
    call.end('body');
  });
}

describe('a connection whose certificate ends', () => {
  it('is told so by the answer before it, and closed when it is idle', async () => {
    const clock = new FakeClock(systemClock.now());
    await using app = await httpApp((_request, response) => response.end('ok'));
    await using inbound = await openInbound(app.port, { ...PATIENT, clock, store: storeFor(ORDERS, clock, 3600) });
    const web = storeFor(WEB, clock, 100);
    await using told = await connectAs(web, inbound.port);
    await using idle = await connectAs(web, inbound.port);
    await until('both are in', () => inbound.registry.size === 2);
    expect(await told.send(GET).until('ok')).not.to.contain('Connection: close');
    await clock.advance(97_000);
    expect(inbound.registry.list().map(({ state }) => state)).to.deep.equal(['retiring', 'retiring']);
    expect([told.ended, idle.ended]).to.deep.equal([false, false]);
    expect(await told.send(GET).closed()).to.match(/Connection: close\r\n[\s\S]*ok/);
    await clock.advance(4_000);
    await idle.closed();
    expect([idle.ended, idle.text]).to.deep.equal([true, '']);
  });

  it('finishes an answer in progress within the grace, and takes nothing new', async () => {
    const clock = new FakeClock(systemClock.now());
    await using app = await rawApp();
    await using inbound = await openInbound(app.port, { ...PATIENT, clock, store: storeFor(ORDERS, clock, 100) });
    await using client = await connectAs(storeFor(WEB, clock, 3600), inbound.port);
    client.send(GET);
    const upstream = await app.connection(0);
    await upstream.until('\r\n\r\n');
    upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf');
    await client.until('half');
    await clock.advance(110_000);
    client.send(GET.replace('/', '/late'));
    upstream.send('full');
    const text = await client.until('halffull').then(() => client.closed());
    expect(text).to.match(/halffull$|halffullHTTP\/1\.1 401 [\s\S]*"code":"connection_expired"/);
    expect(upstream.text).not.to.contain('/late');
    expect(client.ended).to.equal(true);
  });

  it('refuses with a code what was sent ahead and has not begun', async () => {
    const clock = new FakeClock(systemClock.now());
    await using app = await rawApp();
    await using inbound = await openInbound(app.port, { ...PATIENT, clock, store: storeFor(ORDERS, clock, 100) });
    await using client = await connectAs(storeFor(WEB, clock, 3600), inbound.port);
    client.send(GET + GET.replace('/', '/second'));
    const upstream = await app.connection(0);
    await upstream.until('\r\n\r\n');
    upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n');
    await client.until('200 OK');
    await clock.advance(101_000);
    upstream.send('done');
    expect(await client.closed()).to.match(/doneHTTP\/1\.1 401 [\s\S]*"code":"connection_expired"/);
    expect(upstream.text).not.to.contain('/second');
  });

  it('is cut when the grace is over', async () => {
    const clock = new FakeClock(systemClock.now());
    await using app = await rawApp();
    await using inbound = await openInbound(app.port, {
      ...PATIENT,
      clock,
      store: storeFor(ORDERS, clock, 100),
      expiryGraceSeconds: 30,
    });
    await using client = await connectAs(storeFor(WEB, clock, 3600), inbound.port);
    client.send(GET);
    const upstream = await app.connection(0);
    await upstream.until('\r\n\r\n');
    upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf');
    await client.until('half');
    await clock.advance(129_000);
    expect(client.socket.destroyed || client.ended).to.equal(false);
    await clock.advance(2_000);
    await client.closed();
    expect(client.ended).to.equal(false);
    await upstream.closed();
    expect(inbound.connections.cut.get(['expiry'])).to.equal(1);
  });

  it('is no longer used by who dialed it before the other side begins to close it', async () => {
    const clock = new FakeClock(systemClock.now());
    await using app = await httpApp((_request, response) => response.end('ok'));
    const [web, orders] = [storeFor(WEB, clock, 3600), storeFor(ORDERS, clock, 100)];
    await using inbound = await openInbound(app.port, { ...PATIENT, clock, store: orders });
    await using outbound = await openOutbound(inbound.port, { ...PATIENT, clock, store: web });
    await using client = await RawClient.connect(outbound.port);
    await client.send(GET).until('ok');
    await clock.advance(91_000);
    await until('the idle connection is closed', () => inbound.registry.size === 0);
    expect(inbound.connections.retired.get(['expiry'])).to.equal(0);
    expect(outbound.connections.retired.get(['expiry'])).to.equal(1);
    expect(client.ended, 'the app notices nothing').to.equal(false);
    renew(orders, ORDERS, clock, 100);
    expect(await client.send(GET).until(/ok[\s\S]*ok/)).not.to.contain('Connection: close');
  });
});

describe('a connection whose authority is withdrawn', () => {
  const next = createTestAuthority({ trustDomain: 'cluster.local', subject: 'the next root' });
  const other = createTestAuthority({ trustDomain: 'cluster.local', subject: 'another root' });
  const bundle = (sequence: number, ...roots: readonly TestAuthority[]) => ({
    ...authority.bundle(sequence),
    authorities: roots.map(({ rootDer }) => rootDer),
  });
  /** Trusts all three; its own certificate is under the first. */
  function storeUnder(own: TestAuthority, uri: string): IdentityStore {
    const store = storeOf(own, { uri });
    store.publishTrust(bundle(2, authority, next, other));
    return store;
  }
  const codes = async (gate: Gate): Promise<readonly string[]> =>
    until('it is told', () => (gate.refused.length > 0 ? gate.refused : undefined));

  it('is cut at once when it is that of the peer, in the middle of a stream; others go on', async () => {
    await using app = await rawApp();
    const orders = storeUnder(next, ORDERS);
    await using inbound = await openInbound(app.port, { store: orders, protocol: 'tcp' });
    await using gone = await connectAs(storeUnder(other, WEB), inbound.port);
    const first = await app.connection(0);
    first.send('a');
    await using kept = await connectAs(storeUnder(authority, WEB), inbound.port);
    const second = await app.connection(1);
    await gone.until('a');
    orders.publishTrust(bundle(3, authority, next));
    await gone.closed();
    await first.closed();
    expect([gone.ended, first.ended], 'a cut stream does not look finished').to.deep.equal([false, false]);
    expect(await codes(inbound)).to.deep.equal(['connection_distrusted']);
    expect(inbound.connections.cut.get(['distrust'])).to.equal(1);
    second.send('still here');
    await kept.until('still here');
  });

  it('is cut at once when it is our own, also while an answer is under way', async () => {
    await using app = await rawApp();
    const orders = storeUnder(other, ORDERS);
    await using inbound = await openInbound(app.port, { store: orders });
    await using client = await connectAs(storeUnder(authority, WEB), inbound.port);
    client.send(GET);
    const upstream = await app.connection(0);
    await upstream.until('\r\n\r\n');
    upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf');
    await client.until('half');
    orders.publishTrust(bundle(3, authority, next));
    await client.closed();
    expect(client.ended).to.equal(false);
    await upstream.closed();
    expect(await codes(inbound)).to.deep.equal(['connection_distrusted']);
  });

  it('is closed when it is idle, and the pool of who dialed it gives out a new one', async () => {
    await using app = await httpApp((_request, response) => response.end('ok'));
    const [orders, web] = [storeUnder(next, ORDERS), storeUnder(other, WEB)];
    await using inbound = await openInbound(app.port, { store: orders });
    await using outbound = await openOutbound(inbound.port, { store: web });
    await using client = await RawClient.connect(outbound.port);
    await client.send(GET).until('ok');
    web.publishTrust(bundle(3, authority, next));
    publish(web, authority.svid({ uri: WEB }));
    expect(outbound.connections.cut.get(['distrust'])).to.equal(1);
    await client.send(GET).until(/ok[\s\S]*ok/);
    expect(inbound.handshakes).to.deep.equal(['ok', 'ok']);
    expect(client.ended, 'the app notices nothing').to.equal(false);
  });

  it('is left alone by a bundle that only grew, and by one that withdraws the root of nobody here', async () => {
    await using app = await httpApp((_request, response) => response.end('ok'));
    const orders = storeUnder(next, ORDERS);
    await using inbound = await openInbound(app.port, { store: orders });
    await using client = await connectAs(storeUnder(authority, WEB), inbound.port);
    await client.send(GET).until('ok');
    orders.publishTrust(bundle(3, authority, next));
    orders.publishTrust(bundle(4, next, authority, other));
    await client.send(GET).until(/ok[\s\S]*ok/);
    expect(inbound.connections.cut.get(['distrust'])).to.equal(0);
  });

  it('does not come about when the authority goes while it is being made', async () => {
    await using app = await httpApp((_request, response) => response.end('ok'));
    const orders = storeUnder(next, ORDERS);
    await using inbound = await openInbound(app.port, { store: orders });
    const web = storeUnder(authority, WEB);
    await using between = await rawApp((socket) => {
      web.publishTrust(bundle(3, authority, other));
      const onward = net.connect(inbound.port, '127.0.0.1');
      socket.pipe(onward).pipe(socket);
    });
    await using outbound = await openOutbound(between.port, { store: web });
    const answer = await say(outbound.port, GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
    expect(answer).to.include('"code":"peer_untrusted"');
  });
});

describe('rotation', () => {
  it('fails no request and ends no connection of the app, whatever the app sends', async () => {
    const clock = new FakeClock(systemClock.now());
    await using app = await httpApp((request, response) => request.resume().on('end', () => response.end('ok')));
    const [web, orders] = [storeFor(WEB, clock, 10), storeFor(ORDERS, clock, 10)];
    await using inbound = await openInbound(app.port, { ...PATIENT, clock, store: orders });
    await using outbound = await openOutbound(inbound.port, { ...PATIENT, clock, store: web });
    const agent = new Agent({ keepAlive: true, maxSockets: 4 });
    const statuses: number[] = [];
    for (let second = 0; second < 60; second++) {
      if (second % 5 === 2) renew(web, WEB, clock, 10);
      if (second % 5 === 4) renew(orders, ORDERS, clock, 10);
      const flight = Promise.all(Array.from({ length: 4 }, () => post(outbound.port, agent)));
      await clock.advance(500);
      statuses.push(...(await flight));
      await clock.advance(500);
    }
    expect([statuses.length, statuses.filter((status) => status !== 200)]).to.deep.equal([240, []]);
    expect(outbound.connections.retired.get(['rotation'])).to.be.greaterThan(5);
    expect([outbound.refused, inbound.refused]).to.deep.equal([[], []]);
    expect(outbound.registry.list().filter(({ leg }) => leg === 'app')).to.have.length(4);
    agent.destroy();
  });

  it('makes new connections with the new certificate while the old ones finish', async () => {
    await using app = await rawApp();
    const [web, orders] = [storeFor(WEB, systemClock, 3600), storeFor(ORDERS, systemClock, 3600)];
    await using inbound = await openInbound(app.port, { store: orders });
    await using outbound = await openOutbound(inbound.port, { store: web });
    await using before = await RawClient.connect(outbound.port);
    before.send(GET);
    const first = await app.connection(0);
    await first.until('\r\n\r\n');
    const oldHash = web.identity!.leaf.fingerprint;
    renew(web, WEB, systemClock, 3600);
    await using after = await RawClient.connect(outbound.port);
    after.send(GET);
    const second = await app.connection(1);
    await second.until(`Hash=${web.identity!.leaf.fingerprint}`);
    expect(first.text).to.contain(`Hash=${oldHash}`);
    first.send('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold');
    expect(await before.until('old')).not.to.contain('Connection: close');
    await until('the old connection is gone, at once', () => inbound.registry.size === 1, 2_000);
  });
});
