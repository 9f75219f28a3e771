/** An app's connection comes through a tunnel to the other app as it was, and ends with the identities around it. */
import { once } from 'node:events';
import http2 from 'node:http2';
import tls from 'node:tls';
import { expect } from 'chai';
import { systemClock } from '../../../shared/clock/clock.ts';
import type { IdentityStore } from '../../../sidecar/identity/identity-store.ts';
import type { RelayProtocol } from '../../../sidecar/relay/relay.ts';
import { httpApp, rawApp } from '../../support/app-server.ts';
import { type Gate, ORDERS, openOutbound, openTunnelGate, WEB } from '../../support/gates.ts';
import { RawClient } from '../../support/raw-client.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { publish, storeOf } from '../../support/tls-peers.ts';
import { until } from '../../support/until.ts';

const authority = createTestAuthority({ trustDomain: 'cluster.local' });
const GET = 'GET / HTTP/1.1\r\nHost: orders\r\n\r\n';

function storeFor(uri: string, seconds = 3600): IdentityStore {
  return storeOf(authority, { uri, notAfter: systemClock.now() + seconds * 1000 }, systemClock);
}

interface Hop extends AsyncDisposable {
  readonly way: Gate;
  readonly gate: Gate;
  readonly web: IdentityStore;
  connect(): Promise<RawClient>;
}

async function hop(
  app: number,
  protocol: RelayProtocol,
  change: { expects?: string; port?: number; allow?: readonly string[] } = {},
): Promise<Hop> {
  const web = storeFor(WEB);
  const { expects = ORDERS, port = app, allow } = change;
  const gate = await openTunnelGate(app, { store: storeFor(ORDERS), protocol, ...(allow ? { allow } : {}) });
  const settings = { store: web, protocol, transport: 'tunnel', tunnelPort: gate.port, peers: [expects] } as const;
  const way = await openOutbound(port, settings);
  return {
    way,
    gate,
    web,
    connect: () => RawClient.connect(way.port),
    async [Symbol.asyncDispose]() {
      await way[Symbol.asyncDispose]();
      await gate[Symbol.asyncDispose]();
    },
  };
}

describe('connections in tunnels', () => {
  it('share one session per peer, and each is carried both ways', async () => {
    await using app = await rawApp();
    await using one = await hop(app.port, 'tcp');
    const clients = await Promise.all(Array.from({ length: 20 }, () => one.connect()));
    await until('all are there', () => app.count === 20);
    for (const [at, client] of clients.entries()) client.send(`from ${at};`);
    for (const at of clients.keys()) {
      const server = await app.connection(at);
      const heard = await server.until(';');
      server.send(`you said ${heard}`).end();
    }
    for (const [at, client] of clients.entries()) expect(await client.end().closed()).to.equal(`you said from ${at};`);
    const sessions = one.gate.registry.list();
    expect(sessions.map(({ protocol, peer }) => [protocol, peer])).to.deep.equal([['tunnel', WEB]]);
  });

  it('carry requests, with the peer named by the handshake', async () => {
    await using app = await httpApp((request, response) => {
      response.end(JSON.stringify(request.headers['x-forwarded-client-cert'] ?? ''));
    });
    await using one = await hop(app.port, 'http');
    await using client = await one.connect();
    const spoofed = GET.replace('\r\n\r\n', '\r\nX-Forwarded-Client-Cert: By=evil;URI=spiffe://evil\r\n\r\n');
    expect(await client.send(spoofed).until(`URI=${WEB}`))
      .to.include('200 OK')
      .and.not.to.include('evil');
  });

  it('are refused when another identity answers than the expected one', async () => {
    await using app = await rawApp();
    await using one = await hop(app.port, 'tcp', { expects: WEB });
    await using client = await one.connect();
    await client.closed();
    expect(one.way.refused).to.deep.equal(['peer_identity_unexpected']);
    expect(app.count).to.equal(0);
  });

  it('tell the caller when no app has the port, or when the app is away', async () => {
    await using app = await rawApp();
    await using wrong = await hop(app.port, 'tcp', { port: 9 });
    await using lost = await wrong.connect();
    await lost.closed();
    expect([wrong.way.refused, wrong.gate.refused]).to.deep.equal([['tunnel_refused'], ['tunnel_target_unknown']]);

    const gone = await rawApp();
    await gone[Symbol.asyncDispose]();
    await using away = await hop(gone.port, 'http');
    await using client = await away.connect();
    expect(await client.send(GET).until('\r\n\r\n')).to.include('503');
    expect(away.gate.refused).to.deep.equal(['app_unreachable']);
  });

  it('are let in by the list of callers, by name or by what they are below of', async () => {
    await using app = await rawApp();
    for (const allow of [[WEB], ['spiffe://cluster.local/ns/shop/*'], [ORDERS, 'spiffe://cluster.local/*']]) {
      await using one = await hop(app.port, 'tcp', { allow });
      const at = app.count;
      await using client = await one.connect();
      await app.connection(at);
      expect([client.ended, one.gate.refused]).to.deep.equal([false, []]);
    }
  });

  it('are refused to whom the list of callers does not have, before the app notices, and the session stays', async () => {
    await using app = await rawApp();
    await using one = await hop(app.port, 'http', { allow: [ORDERS, 'spiffe://cluster.local/ns/shopping/*'] });
    await using client = await one.connect();
    for (let turn = 1; turn <= 3; turn++) {
      const told = await client.send(GET).until(new RegExp(`(?:"tunnel_forbidden"[\\s\\S]*){${turn}}`));
      expect(told).to.match(/^HTTP\/1\.1 403 Forbidden\r\n[\s\S]*\r\nX-Sallyport-Refusal: tunnel_forbidden\r\n/);
    }
    await using upgrading = await one.connect();
    const upgrade = GET.replace('\r\n\r\n', '\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    expect(await upgrading.send(upgrade).until('"tunnel_forbidden"')).to.match(/^HTTP\/1\.1 403 /);
    expect(one.gate.refused).to.deep.equal(Array.from({ length: 4 }, () => 'caller_not_allowed'));
    expect([app.count, one.gate.handshakes, one.gate.registry.size]).to.deep.equal([0, ['ok'], 1]);
    expect(one.way.traffic.requests.samples().map(({ labels }) => labels)[0]).to.include({
      response_code: '403',
      response_flags: 'UAEX',
    });
  });

  it('learn nothing of an app that is away when they may not call it', async () => {
    const gone = await rawApp();
    await gone[Symbol.asyncDispose]();
    await using one = await hop(gone.port, 'tcp', { allow: [ORDERS] });
    await using client = await one.connect();
    await client.closed();
    expect([one.way.refused, one.gate.refused]).to.deep.equal([['tunnel_forbidden'], ['caller_not_allowed']]);
    expect((client.error as NodeJS.ErrnoException | undefined)?.code).to.equal('ECONNRESET');
  });

  it('go over a new session after a rotation, while those under way stay', async () => {
    await using app = await rawApp();
    await using one = await hop(app.port, 'tcp');
    await using before = await one.connect();
    const server = await app.connection(0);
    publish(one.web, authority.svid({ uri: WEB, notAfter: systemClock.now() + 7_200_000 }));
    await using after = await one.connect();
    await app.connection(1);
    expect(one.gate.registry.size).to.equal(2);
    server.send('still here').end();
    expect(await before.end().closed()).to.equal('still here');
    await until('the old session is gone', () => one.gate.registry.size === 1);
    expect(after.ended).to.equal(false);
  });

  it('end in order when the other sidecar drains', async () => {
    await using app = await rawApp();
    await using one = await hop(app.port, 'tcp');
    await using client = await one.connect();
    const server = await app.connection(0);
    one.gate.listener.drain();
    server.send('the rest').end();
    expect(await client.end().closed()).to.equal('the rest');
    await until('the session is gone', () => one.gate.registry.size === 0);
  });
});

describe('the gate for tunnels', () => {
  async function raw(store: IdentityStore, port: number, protocols: readonly string[]): Promise<tls.TLSSocket> {
    const { chainPem, keyPem } = store.identity!;
    const options = { port, host: '127.0.0.1', cert: chainPem, key: keyPem, ca: [...store.trust!.caPem] };
    const socket = tls.connect({ ...options, ALPNProtocols: [...protocols], checkServerIdentity: () => undefined });
    socket.on('error', () => {});
    await once(socket, 'secureConnect');
    return socket;
  }

  it('turns away a peer that does not agree on HTTP/2', async () => {
    await using app = await rawApp();
    await using gate = await openTunnelGate(app.port, { store: storeFor(ORDERS), protocol: 'tcp' });
    const socket = await raw(storeFor(WEB), gate.port, []);
    await once(socket, 'close');
    expect(gate.refused).to.deep.equal(['tunnel_unsupported']);
  });

  const answers: readonly (readonly [string, (app: number) => http2.OutgoingHttpHeaders, number])[] = [
    ['a CONNECT to the app', (app) => ({ ':method': 'CONNECT', ':authority': `127.0.0.1:${app}` }), 200],
    ['a CONNECT by a name', (app) => ({ ':method': 'CONNECT', ':authority': `orders.shop.svc:${app}` }), 200],
    ['another port', () => ({ ':method': 'CONNECT', ':authority': '127.0.0.1:9' }), 404],
    ['another address', (app) => ({ ':method': 'CONNECT', ':authority': `10.1.2.3:${app}` }), 400],
    ['no port', () => ({ ':method': 'CONNECT', ':authority': '127.0.0.1' }), 400],
    ['a user in front', (app) => ({ ':method': 'CONNECT', ':authority': `root@127.0.0.1:${app}` }), 400],
    ['a GET', () => ({ ':method': 'GET', ':path': '/', ':authority': 'orders' }), 405],
  ];
  for (const [what, headers, status] of answers) {
    it(`answers ${what} from any HTTP/2 client with ${status}`, async () => {
      await using app = await rawApp();
      await using gate = await openTunnelGate(app.port, { store: storeFor(ORDERS), protocol: 'tcp' });
      const socket = await raw(storeFor(WEB), gate.port, ['h2']);
      const session = http2.connect('https://orders', { createConnection: () => socket });
      const stream = session.request(headers(app.port));
      stream.on('error', () => {});
      const [answer] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
      session.destroy();
      expect(answer[':status']).to.equal(status);
    });
  }
});
