import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { expect } from 'chai';
import { systemClock } from '../../../shared/clock/clock.ts';
import { silentLog } from '../../../shared/log/log.ts';
import { IdentityStore } from '../../../sidecar/identity/identity-store.ts';
import { httpApp, rawApp } from '../../support/app-server.ts';
import { ORDERS, openInbound, openOutbound, WEB } from '../../support/gates.ts';
import { RawClient, say } from '../../support/raw-client.ts';
import { refusalOf } from '../../support/refusals.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { storeOf } from '../../support/tls-peers.ts';
import { until } from '../../support/until.ts';

const authority = createTestAuthority({ trustDomain: 'cluster.local' });
const web = storeOf(authority, { uri: WEB });
const orders = storeOf(authority, { uri: ORDERS });
const ONCE = 'GET /a HTTP/1.1\r\nHost: orders\r\nConnection: close\r\n\r\n';

async function tlsClient(port: number): Promise<RawClient> {
  const { chainPem, keyPem } = web.identity!;
  const socket = tls.connect({
    port,
    host: '127.0.0.1',
    cert: chainPem,
    key: keyPem,
    ca: authority.rootPem,
    checkServerIdentity: () => undefined,
  });
  socket.allowHalfOpen = true;
  await once(socket, 'secureConnect');
  return new RawClient(socket);
}

describe('two gates', () => {
  it('carry a request from app to app, with the proven caller and one request id', async () => {
    await using app = await httpApp((request, response) => response.end(JSON.stringify(request.headers)));
    await using inbound = await openInbound(app.port, { store: orders });
    await using outbound = await openOutbound(inbound.port, { store: web });
    const answer = await say(outbound.port, ONCE);
    const headers = JSON.parse(answer.slice(answer.indexOf('{'), answer.lastIndexOf('}') + 1));
    expect(headers['x-forwarded-client-cert']).to.equal(
      `By=${ORDERS};Hash=${web.identity!.leaf.fingerprint};Subject="";URI=${WEB}`,
    );
    expect(headers['x-request-id']).to.match(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect([inbound.handshakes, outbound.handshakes]).to.deep.equal([['ok'], ['ok']]);
  });

  it('count one request on both sides, each naming the other by its handshake', async () => {
    await using app = await httpApp((_request, response) => response.end('ok'));
    await using inbound = await openInbound(app.port, { store: orders });
    await using outbound = await openOutbound(inbound.port, { store: web });
    await say(outbound.port, ONCE);
    await until(
      'both have counted',
      () => inbound.traffic.requests.samples()[0] && outbound.traffic.requests.samples()[0],
    );
    const [received] = inbound.traffic.requests.samples();
    const [sent] = outbound.traffic.requests.samples();
    expect(received!.labels).to.include({
      reporter: 'destination',
      source_principal: WEB,
      destination_principal: ORDERS,
      response_code: '200',
      connection_security_policy: 'mutual_tls',
    });
    expect(sent!.labels).to.include({
      reporter: 'source',
      source_principal: WEB,
      destination_principal: ORDERS,
      response_code: '200',
      connection_security_policy: 'unknown',
    });
  });

  it('use one connection for many requests, and list it', async () => {
    await using app = await httpApp((_request, response) => response.end('ok'));
    await using inbound = await openInbound(app.port, { store: orders });
    await using outbound = await openOutbound(inbound.port, { store: web });
    for (let at = 0; at < 5; at++) await say(outbound.port, ONCE);
    expect(inbound.registry.list()).to.have.length(1);
    expect(inbound.registry.list()[0]).to.include({
      direction: 'inbound',
      leg: 'mtls',
      peer: WEB,
      requests: 5,
      state: 'open',
    });
    expect(outbound.registry.list().filter(({ leg }) => leg === 'mtls')[0]).to.include({
      direction: 'outbound',
      peer: ORDERS,
      requests: 5,
    });
  });

  it('let in whom the list of callers has, and close whom it has not, unread', async () => {
    await using app = await httpApp((_request, response) => response.end('ok'));
    await using open = await openInbound(app.port, { store: orders, allow: [ORDERS, WEB] });
    await using before = await openOutbound(open.port, { store: web });
    expect(await say(before.port, ONCE)).to.include('200 OK');

    await using shut = await openInbound(1, { store: orders, allow: [ORDERS, 'spiffe://cluster.local/ns/shopping/*'] });
    await using client = await tlsClient(shut.port);
    client.send(ONCE);
    await client.closed();
    expect([client.text, shut.refused, shut.handshakes]).to.deep.equal([
      '',
      ['caller_not_allowed'],
      ['caller_not_allowed'],
    ]);
    expect(shut.registry.size).to.equal(0);
  });

  it('upgrade across both', async () => {
    await using app = await rawApp((socket) =>
      socket.once('data', () =>
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhi'),
      ),
    );
    await using inbound = await openInbound(app.port, { store: orders });
    await using outbound = await openOutbound(inbound.port, { store: web });
    await using client = await RawClient.connect(outbound.port);
    await client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n').until('hi');
    const upstream = await app.connection(0);
    client.send('over there').end();
    await upstream.closed();
    expect(upstream.text).to.match(/X-Forwarded-Client-Cert: By=[\s\S]*over there$/);
    upstream.send('still here').end();
    expect(await client.closed()).to.match(/still here$/);
  });

  it('carry raw TCP: the server first, each direction ended by itself', async () => {
    await using app = await rawApp((socket) => socket.write('220 ready'));
    await using inbound = await openInbound(app.port, { store: orders, protocol: 'tcp' });
    await using outbound = await openOutbound(inbound.port, { store: web, protocol: 'tcp' });
    await using client = await RawClient.connect(outbound.port);
    await client.until('220 ready');
    client.send('bye').end();
    const upstream = await app.connection(0);
    await upstream.closed();
    upstream.send('really').end();
    expect([await client.closed(), upstream.text, client.ended]).to.deep.equal(['220 readyreally', 'bye', true]);
    await until('both have counted', () => inbound.traffic.closed.samples()[0] && outbound.traffic.closed.samples()[0]);
    for (const { traffic } of [inbound, outbound]) {
      expect([traffic.sent.samples()[0]!.value, traffic.received.samples()[0]!.value]).to.deep.equal([15, 3]);
    }
  });

  it('break together from either end, and a broken stream does not look finished', async () => {
    await using app = await rawApp();
    await using inbound = await openInbound(app.port, { store: orders, protocol: 'tcp' });
    await using outbound = await openOutbound(inbound.port, { store: web, protocol: 'tcp' });
    await using client = await RawClient.connect(outbound.port);
    client.send('x');
    const upstream = await app.connection(0);
    await upstream.until('x');
    upstream.socket.resetAndDestroy();
    await client.closed();
    await using other = await RawClient.connect(outbound.port);
    const next = await app.connection(1);
    other.socket.resetAndDestroy();
    await next.closed();
    expect([client.ended, next.ended]).to.deep.equal([false, false]);
  });

  it('drain: what is in progress is finished, then nothing is open', async () => {
    await using app = await rawApp();
    await using inbound = await openInbound(app.port, { store: orders });
    await using client = await tlsClient(inbound.port);
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const upstream = await app.connection(0);
    await upstream.until('\r\n\r\n');
    inbound.listener.drain();
    const drained = inbound.registry.drain();
    expect(inbound.listener.bound).to.equal(undefined);
    upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone');
    expect(await client.closed()).to.match(/Connection: close[\s\S]*done$/);
    client.end();
    await drained;
  });

  it('drain: a connection that was ended in order and whose peer only fails to close was not cut', async () => {
    await using app = await httpApp((_request, response) => response.end('ok'));
    await using inbound = await openInbound(app.port, { store: orders });
    await using client = await tlsClient(inbound.port);
    await client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n').until('ok');
    inbound.listener.drain();
    const drained = inbound.registry.drain();
    await client.closed();
    expect([client.ended, inbound.registry.size]).to.deep.equal([true, 1]);
    expect(inbound.registry.cutAll()).to.equal(0);
    await drained;
    expect(inbound.connections.cut.get(['draining'])).to.equal(0);
  });

  it('drain: an answer that its peer has not taken yet was cut', async () => {
    const large = Buffer.alloc(32 * 1024 * 1024);
    await using app = await httpApp((_request, response) => response.end(large));
    await using inbound = await openInbound(app.port, { store: orders });
    await using client = await tlsClient(inbound.port);
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.until('200 OK');
    client.socket.pause();
    inbound.listener.drain();
    const drained = inbound.registry.drain();
    expect(inbound.registry.cutAll()).to.equal(1);
    await drained;
  });
});

describe('a gate refuses', () => {
  it('a peer that is not expected there, and tells the app', async () => {
    await using app = await rawApp();
    await using inbound = await openInbound(app.port, { store: orders });
    await using outbound = await openOutbound(inbound.port, {
      store: web,
      peers: ['spiffe://cluster.local/ns/shop/sa/ledger'],
    });
    expect(await say(outbound.port, ONCE)).to.match(/^HTTP\/1\.1 502 [\s\S]*"code":"peer_identity_unexpected"/);
    expect([outbound.handshakes, outbound.refused, app.count]).to.deep.equal([
      ['peer_identity_unexpected'],
      ['peer_identity_unexpected'],
      0,
    ]);
  });

  it('to speak without an identity of its own', async () => {
    const empty = new IdentityStore({ trustDomain: 'cluster.local', clock: systemClock, log: silentLog });
    await using outbound = await openOutbound(1, { store: empty });
    expect(await say(outbound.port, ONCE)).to.match(/^HTTP\/1\.1 503 [\s\S]*"code":"identity_missing"/);
    await using inbound = await openInbound(1, { store: empty });
    const socket = tls.connect({ port: inbound.port, host: '127.0.0.1', rejectUnauthorized: false });
    await once(socket, 'error');
    await until('it is told', () => inbound.refused[0]);
    expect(inbound.refused).to.deep.equal(['identity_missing']);
  });

  it('a caller that speaks plaintext', async () => {
    await using app = await rawApp();
    await using inbound = await openInbound(app.port, { store: orders });
    await using client = await RawClient.connect(inbound.port);
    await client.send(ONCE).closed();
    await until('it is told', () => inbound.refused[0]);
    expect([inbound.refused, inbound.handshakes, app.count]).to.deep.equal([['peer_plaintext'], ['peer_plaintext'], 0]);
  });

  it('connections beyond its limit, before a byte is read, and those within it go on', async () => {
    await using app = await httpApp((_request, response) => response.end('ok'));
    await using inbound = await openInbound(app.port, { store: orders });
    await using outbound = await openOutbound(inbound.port, { store: web, limits: { connections: 2 } });
    await using first = await RawClient.connect(outbound.port);
    await using second = await RawClient.connect(outbound.port);
    await second.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n').until('ok');
    await using third = await RawClient.connect(outbound.port);
    await third.closed();
    await first.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n').until('ok');
    expect(outbound.refused).to.deep.equal(['connection_limit']);
  });

  it('connections that its files do not suffice for, and takes new ones when others have gone', async () => {
    await using app = await httpApp((_request, response) => response.end('ok'));
    await using inbound = await openInbound(app.port, { store: orders, openFiles: 48 + 2 * 2 });
    await using kept = await tlsClient(inbound.port);
    const leaving = net.connect(inbound.port, '127.0.0.1'); // counts before it has said who it is
    await once(leaving, 'connect');
    await until('both are counted', () => inbound.registry.files.full);
    await using tooMany = await RawClient.connect(inbound.port);
    await tooMany.closed();
    expect(inbound.refused).to.deep.equal(['connection_limit']);
    expect(await kept.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n').until('ok')).to.include('200 OK');
    leaving.destroy();
    await until('there is room', () => !inbound.registry.files.full);
    await using next = await tlsClient(inbound.port);
    expect(await next.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n').until('ok')).to.include('200 OK');
    expect(inbound.registry.files.full).to.equal(true);
    kept.socket.destroy();
    await until('there is room again', () => !inbound.registry.files.full);
  });

  it('to open a port that is taken, and says which listener wanted it', async () => {
    const taken = net.createServer();
    await once(taken.listen(0, '127.0.0.1'), 'listening');
    const { port } = taken.address() as net.AddressInfo;
    const refusal = await refusalOf(openOutbound(1, { store: web, listen: `127.0.0.1:${port}` }));
    expect([refusal.code, refusal.detail]).to.deep.equal([
      'address_in_use',
      `outbound listener orders: 127.0.0.1:${port} (EADDRINUSE)`,
    ]);
    taken.close();
  });
});
