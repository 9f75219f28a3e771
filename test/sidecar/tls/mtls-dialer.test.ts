import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import tls, { type TlsOptions } from 'node:tls';
import { expect } from 'chai';
import { type Clock, systemClock } from '../../../shared/clock/clock.ts';
import { Refusal } from '../../../shared/errors/refusal.ts';
import { silentLog } from '../../../shared/log/log.ts';
import { IdentityStore } from '../../../sidecar/identity/identity-store.ts';
import { MtlsDialer } from '../../../sidecar/tls/mtls-dialer.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { createTestAuthority, type TestSvid } from '../../support/test-authority.ts';
import { publish, startServer, storeOf } from '../../support/tls-peers.ts';

const ROOT = createTestAuthority({ trustDomain: 'cluster.local' });
const FOREIGN = createTestAuthority({ trustDomain: 'cluster.local', subject: 'somebody else' });
const LEDGER = 'spiffe://cluster.local/ns/shop/sa/ledger';
const WEB = 'spiffe://cluster.local/ns/shop/sa/web';
const now = systemClock.now();

describe('dialing a peer', () => {
  it('gives a connection to the expected peer, which sees the dialer’s identity', async () => {
    await using server = await startServer(storeOf(ROOT, { uri: LEDGER }));
    const store = storeOf(ROOT, { uri: WEB });
    const { socket, peer, own } = await dialerOf(store).dial(at(server.port), [LEDGER]);
    expect(peer.spiffeId.uri).to.equal(LEDGER);
    expect(own).to.equal(store.identity);
    const admitted = await server.admitted();
    expect(admitted.peer.spiffeId.uri).to.equal(WEB);
    admitted.socket.end('hello');
    expect(String((await once(socket, 'data'))[0])).to.equal('hello');
    socket.destroy();
  });

  it('accepts any of several expected identities and no other', async () => {
    await using server = await startServer(storeOf(ROOT, { uri: LEDGER }));
    const dialer = dialerOf(storeOf(ROOT));
    const { socket } = await dialer.dial(at(server.port), [WEB, LEDGER]);
    socket.destroy();
    const refusal = await refusalOf(dialer.dial(at(server.port), [WEB]));
    expect(refusal.code).to.equal('peer_identity_unexpected');
    expect(refusal.detail).to.include(LEDGER).and.to.include(WEB);
  });

  const wrong: readonly (readonly [string, string, () => TestSvid])[] = [
    [
      'whose certificate has expired',
      'peer_certificate_expired',
      () => ROOT.svid({ uri: LEDGER, notAfter: now - 1000 }),
    ],
    [
      'whose certificate is not valid yet',
      'peer_certificate_not_yet_valid',
      () => ROOT.svid({ uri: LEDGER, notBefore: now + 600_000 }),
    ],
    ['from a foreign authority', 'peer_untrusted', () => FOREIGN.svid({ uri: LEDGER })],
    [
      'of a trust domain without a bundle',
      'peer_trust_domain_unknown',
      () => ROOT.svid({ uri: 'spiffe://other.test/ns/a/sa/b' }),
    ],
    [
      'with a DNS name instead of a SPIFFE ID',
      'peer_spiffe_id_missing',
      () => ROOT.svid({ uris: [], dnsNames: ['localhost'] }),
    ],
    ['with two SPIFFE IDs', 'peer_spiffe_id_several', () => ROOT.svid({ uris: [LEDGER, WEB] })],
  ];
  for (const [what, code, make] of wrong) {
    it(`refuses a server ${what}`, async () => {
      await using server = await plainTlsServer(make());
      expect((await refusalOf(dialerOf(storeOf(ROOT)).dial(at(server.port), [LEDGER]))).code).to.equal(code);
      await server.abandoned();
    });
  }

  it('refuses a server that speaks TLS 1.2 only', async () => {
    await using server = await plainTlsServer(ROOT.svid({ uri: LEDGER }), { maxVersion: 'TLSv1.2' });
    expect((await refusalOf(dialerOf(storeOf(ROOT)).dial(at(server.port), [LEDGER]))).code).to.equal('peer_tls_failed');
  });

  it('refuses a server that speaks plaintext, and sends it nothing but a ClientHello', async () => {
    await using server = await rawServer((socket) => socket.end('220 mail.example ready\r\n'));
    expect((await refusalOf(dialerOf(storeOf(ROOT)).dial(at(server.port), [LEDGER]))).code).to.equal('peer_plaintext');
  });

  it('tells a closed port from a server that does not answer the handshake', async () => {
    const dialer = dialerOf(storeOf(ROOT), { handshakeSeconds: 0.2 });
    const closed = await rawServer(() => {});
    await closed[Symbol.asyncDispose]();
    expect((await refusalOf(dialer.dial(at(closed.port), [LEDGER]))).code).to.equal('upstream_unreachable');
    await using silent = await rawServer(() => {});
    expect((await refusalOf(dialer.dial(at(silent.port), [LEDGER]))).code).to.equal('peer_handshake_timeout');
    await silent.abandoned();
  });

  it('gives up connecting after its own time, with a code of its own', async () => {
    const clock = new FakeClock(now);
    const dialing = refusalOf(dialerOf(storeOf(ROOT), { clock }).dial({ host: '192.0.2.1', port: 9 }, [LEDGER]));
    const timer = clock.nextIn;
    expect(timer).to.equal(5000);
    await clock.advance(5000);
    // Without a route the machine says so at once; with one nobody ever answers at this address (RFC 5737).
    expect((await dialing).code).to.be.oneOf(['upstream_timeout', 'upstream_unreachable']);
  });

  it('stops at once when the caller leaves, and leaves no socket behind', async () => {
    await using silent = await rawServer(() => {});
    const caller = new AbortController();
    const dialing = refusalOf(dialerOf(storeOf(ROOT)).dial(at(silent.port), [LEDGER], caller.signal));
    await silent.connected();
    caller.abort();
    expect((await dialing).detail).to.include('the caller left');
    await silent.abandoned();
  });

  it('dials nobody without an identity, or with an expired one', async () => {
    const begun = systemClock.now();
    const clock = new FakeClock(begun);
    const empty = new IdentityStore({ trustDomain: 'cluster.local', clock, log: silentLog });
    expect((await refusalOf(dialerOf(empty).dial(at(9), [LEDGER]))).code).to.equal('identity_missing');
    const store = storeOf(ROOT, { notAfter: begun + 60_000 }, clock);
    clock.jump(61_000);
    expect((await refusalOf(dialerOf(store, { clock }).dial(at(9), [LEDGER]))).code).to.equal('identity_expired');
  });

  it('presents the newest certificate and believes the newest bundle', async () => {
    const serving = storeOf(ROOT, { uri: LEDGER });
    await using server = await startServer(serving);
    const store = storeOf(ROOT, { uri: WEB });
    const dialer = dialerOf(store);
    const { socket: older } = await dialer.dial(at(server.port), [LEDGER]);
    const first = await server.admitted();
    publish(store, ROOT.svid({ uri: WEB }));
    const { socket: newer } = await dialer.dial(at(server.port), [LEDGER]);
    const second = await server.admitted();
    older.destroy();
    newer.destroy();
    expect(second.peer.serial).not.to.equal(first.peer.serial);
    expect(second.peer.serial).to.equal(store.identity!.leaf.serial);
    store.publishTrust(FOREIGN.bundle(2));
    expect((await refusalOf(dialer.dial(at(server.port), [LEDGER]))).code).to.equal('peer_untrusted');
  });
});

const at = (port: number) => ({ host: '127.0.0.1', port });

function dialerOf(store: IdentityStore, options: { clock?: Clock; handshakeSeconds?: number } = {}): MtlsDialer {
  return new MtlsDialer({ store, clock: systemClock, connectSeconds: 5, handshakeSeconds: 5, ...options });
}

async function refusalOf(dialing: Promise<unknown>): Promise<Refusal> {
  const outcome = await dialing.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(outcome).to.be.instanceOf(Refusal);
  return outcome as Refusal;
}

/** A server with the given certificate that asks for none. */
function plainTlsServer(svid: TestSvid, options: TlsOptions = {}) {
  return listening(tls.createServer({ cert: svid.chainPem, key: svid.keyPem, ...options }));
}

function rawServer(onConnection: (socket: net.Socket) => void) {
  return listening(net.createServer(onConnection));
}

async function listening(server: net.Server) {
  const sockets: net.Socket[] = [];
  const closed: Promise<unknown>[] = [];
  server.on('connection', (socket: net.Socket) => {
    sockets.push(socket.on('error', () => socket.destroy()));
    closed.push(once(socket, 'close'));
    socket.resume();
  });
  server.on('tlsClientError', (_error, socket: net.Socket) => socket.destroy());
  server.on('secureConnection', (socket: net.Socket) => socket.on('error', () => socket.destroy()).resume());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    connected: () => (sockets.length > 0 ? Promise.resolve() : once(server, 'connection')),
    /** The client has closed every connection. */
    abandoned: () => Promise.all(closed),
    async [Symbol.asyncDispose]() {
      const done = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await done;
    },
  };
}
