import { once } from 'node:events';
import net from 'node:net';
import type { TLSSocket } from 'node:tls';
import { expect } from 'chai';
import { systemClock } from '../../../shared/clock/clock.ts';
import { silentLog } from '../../../shared/log/log.ts';
import { OID } from '../../../shared/x509/oids.ts';
import { IdentityStore } from '../../../sidecar/identity/identity-store.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { createTestAuthority, type TestSvid } from '../../support/test-authority.ts';
import { USAGE } from '../../support/test-certificate.ts';
import { connectAs, publish, startServer, storeOf } from '../../support/tls-peers.ts';

const ROOT = createTestAuthority({ trustDomain: 'cluster.local' });
const AUTHORITY = ROOT.intermediate();
const FOREIGN = createTestAuthority({ trustDomain: 'cluster.local', subject: 'somebody else' });
const WEB = 'spiffe://cluster.local/ns/shop/sa/web';
const MINUTE = 60_000;
const now = systemClock.now();

describe('the mutual TLS server', () => {
  it('lets a good peer in and tells who it is, until when, and as whom it was answered', async () => {
    const store = storeOf(AUTHORITY);
    await using server = await startServer(store);
    const svid = AUTHORITY.svid({ uri: WEB });
    connectAs(server.port, ROOT, svid);
    const { peer, own, socket } = await server.admitted();
    expect(peer.spiffeId.uri).to.equal(WEB);
    expect(peer.notAfter).to.be.closeTo(systemClock.now() + 60 * MINUTE, MINUTE);
    expect(peer.certificateHash).to.match(/^[0-9a-f]{64}$/);
    expect(own).to.equal(store.identity);
    expect(socket.getProtocol()).to.equal('TLSv1.3');
  });

  const wrong: readonly (readonly [string, string, () => TestSvid | undefined])[] = [
    ['without a certificate', 'peer_certificate_missing', () => undefined],
    ['whose certificate has expired', 'peer_certificate_expired', () => AUTHORITY.svid({ notAfter: now - 1000 })],
    [
      'whose certificate is not valid yet',
      'peer_certificate_not_yet_valid',
      () => AUTHORITY.svid({ notBefore: now + 10 * MINUTE }),
    ],
    ['from a foreign authority', 'peer_untrusted', () => FOREIGN.svid()],
    [
      'of a trust domain without a bundle',
      'peer_trust_domain_unknown',
      () => AUTHORITY.svid({ uri: 'spiffe://other.test/ns/a/sa/b' }),
    ],
    ['without a URI name', 'peer_spiffe_id_missing', () => AUTHORITY.svid({ uris: [], dnsNames: ['web.shop'] })],
    ['with two URI names', 'peer_spiffe_id_several', () => AUTHORITY.svid({ uris: [WEB, `${WEB}2`] })],
    [
      'with a name that is no SPIFFE ID',
      'peer_spiffe_id_invalid',
      () => AUTHORITY.svid({ uri: 'https://cluster.local/ns/a/sa/b' }),
    ],
    [
      'with the name of the trust domain itself',
      'peer_spiffe_id_root',
      () => AUTHORITY.svid({ uri: 'spiffe://cluster.local' }),
    ],
    [
      'with a certificate of an authority',
      'peer_certificate_is_ca',
      () => AUTHORITY.svid({ ca: true, keyUsage: [USAGE.digitalSignature, USAGE.keyCertSign] }),
    ],
    ['whose key may not sign', 'peer_key_usage_invalid', () => AUTHORITY.svid({ keyUsage: [USAGE.keyEncipherment] })],
    [
      'whose certificate is for servers only',
      'peer_key_usage_invalid',
      () => AUTHORITY.svid({ extendedKeyUsage: [OID.serverAuth] }),
    ],
  ];
  for (const [what, code, make] of wrong) {
    it(`refuses a peer ${what}, with a code and an address of its own`, async () => {
      await using server = await startServer(storeOf(AUTHORITY));
      const client = connectAs(server.port, ROOT, make());
      const closed = once(client, 'close');
      const { refusal, address } = await server.refused();
      expect(refusal.code).to.equal(code);
      expect(address).to.equal('127.0.0.1');
      await closed;
      expect(server.counts).to.deep.equal({ admitted: 0, refused: 1 });
    });
  }

  it('tells in the detail whom a refused peer claimed to be', async () => {
    await using server = await startServer(storeOf(AUTHORITY));
    connectAs(server.port, ROOT, FOREIGN.svid({ uri: WEB }));
    const { refusal } = await server.refused();
    expect(refusal.detail).to.include(WEB);
  });

  it('goes on serving good peers after refusing bad ones', async () => {
    await using server = await startServer(storeOf(AUTHORITY));
    connectAs(server.port, ROOT, FOREIGN.svid());
    await server.refused();
    connectAs(server.port, ROOT, AUTHORITY.svid({ uri: WEB }));
    expect((await server.admitted()).peer.spiffeId.uri).to.equal(WEB);
  });

  for (const [what, bytes] of [
    ['HTTP', 'GET / HTTP/1.1\r\nhost: a\r\n\r\n'],
    ['a request to a proxy', 'CONNECT a:443 HTTP/1.1\r\n\r\n'],
    ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['zeros', Buffer.alloc(64)],
  ] as const) {
    it(`refuses a peer that speaks plaintext (${what})`, async () => {
      await using server = await startServer(storeOf(AUTHORITY));
      const client = net.connect(server.port, '127.0.0.1').on('error', () => client.destroy());
      client.write(bytes);
      const { refusal, address } = await server.refused();
      expect(refusal.code).to.equal('peer_plaintext');
      expect(address).to.equal('127.0.0.1');
    });
  }

  it('speaks nothing below TLS 1.3', async () => {
    await using server = await startServer(storeOf(AUTHORITY));
    connectAs(server.port, ROOT, AUTHORITY.svid(), { maxVersion: 'TLSv1.2' });
    expect((await server.refused()).refusal.code).to.equal('peer_tls_failed');
  });

  it('cuts a peer that stays silent when the handshake time is over', async () => {
    await using server = await startServer(storeOf(AUTHORITY), { handshakeSeconds: 0.3 });
    const silent = net.connect(server.port, '127.0.0.1').on('error', () => silent.destroy());
    const closed = once(silent.resume(), 'close');
    const { refusal, address } = await server.refused();
    expect(refusal.code).to.equal('peer_handshake_timeout');
    expect(address).to.equal('127.0.0.1');
    await closed;
  });

  it('gives up the oldest of too many handshakes, and lets honest peers through the crowd', async () => {
    await using server = await startServer(storeOf(AUTHORITY), { handshakes: { patient: 2, most: 3 } });
    const crowd = async (): Promise<net.Socket> => {
      const arrived = once(server.server, 'connection');
      const stranger = net.connect(server.port, '127.0.0.1').resume();
      stranger.on('error', () => stranger.destroy());
      await arrived;
      return stranger;
    };
    const strangers = [await crowd(), await crowd(), await crowd()];
    for (let turn = 0; turn < 3; turn++) {
      const gone = once(strangers[turn]!, 'close');
      connectAs(server.port, ROOT, AUTHORITY.svid({ uri: WEB }));
      expect((await server.admitted()).peer.spiffeId.uri).to.equal(WEB);
      const { refusal, address } = await server.refused();
      expect(refusal).to.include({ code: 'peer_handshake_timeout', detail: 'too many are under way' });
      expect(address).to.equal('127.0.0.1');
      await gone;
      strangers.push(await crowd());
    }
    expect(server.counts).to.deep.equal({ admitted: 3, refused: 3 });
    for (const stranger of strangers) stranger.destroy();
  });

  for (const [how, leave] of [
    ['resets the connection', (socket) => socket.resetAndDestroy()],
    ['closes it', (socket) => socket.end()],
  ] as readonly (readonly [string, (socket: net.Socket) => void])[]) {
    it(`knows the address of a peer that ${how} instead of a handshake`, async () => {
      await using server = await startServer(storeOf(AUTHORITY));
      const leaving = net.connect(server.port, '127.0.0.1').resume();
      await once(server.server, 'connection');
      leave(leaving);
      const { refusal, address } = await server.refused();
      expect([refusal.code, address]).to.deep.equal(['peer_tls_failed', '127.0.0.1']);
    });
  }

  it('gives a peer that drips its handshake no more time than a silent one', async () => {
    await using server = await startServer(storeOf(AUTHORITY), { handshakeSeconds: 0.3 });
    const dripping = net.connect(server.port, '127.0.0.1').on('error', () => dripping.destroy());
    const started = performance.now();
    dripping.write(Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]));
    const drip = setInterval(() => dripping.write(Buffer.alloc(1)), 30);
    expect((await server.refused()).refusal.code).to.equal('peer_handshake_timeout');
    clearInterval(drip);
    expect(performance.now() - started).to.be.below(2500);
  });

  it('refuses everybody before it has an identity, and says so', async () => {
    const store = new IdentityStore({ trustDomain: 'cluster.local', clock: systemClock, log: silentLog });
    await using server = await startServer(store);
    connectAs(server.port, ROOT, AUTHORITY.svid());
    expect((await server.refused()).refusal.code).to.equal('identity_missing');
    store.publishTrust(AUTHORITY.bundle());
    publish(store, AUTHORITY.svid());
    connectAs(server.port, ROOT, AUTHORITY.svid());
    expect((await server.admitted()).own).to.equal(store.identity);
  });

  it('refuses everybody once its own certificate has expired', async () => {
    const clock = new FakeClock(now);
    const store = storeOf(AUTHORITY, { notAfter: now + 10 * MINUTE }, clock);
    await using server = await startServer(store, { clock });
    clock.jump(11 * MINUTE);
    connectAs(server.port, ROOT, AUTHORITY.svid());
    expect((await server.refused()).refusal.code).to.equal('identity_expired');
  });

  it('trusts nobody while the bundle is empty', async () => {
    const store = storeOf(AUTHORITY);
    await using server = await startServer(store);
    store.publishTrust({ ...AUTHORITY.bundle(2), authorities: [] });
    connectAs(server.port, ROOT, AUTHORITY.svid());
    expect((await server.refused()).refusal.code).to.equal('peer_untrusted');
  });

  it('is not content with our own verification alone: whom OpenSSL refuses stays out', async () => {
    const store = new (class extends IdentityStore {
      override get trust() {
        const trust = super.trust;
        return trust && { ...trust, caPem: [] };
      }
    })({ trustDomain: 'cluster.local', clock: systemClock, log: silentLog });
    store.publishTrust(AUTHORITY.bundle());
    publish(store, AUTHORITY.svid());
    await using server = await startServer(store);
    connectAs(server.port, ROOT, AUTHORITY.svid());
    const { refusal } = await server.refused();
    expect(refusal.code).to.equal('peer_untrusted');
    expect(refusal.detail).to.include('OpenSSL');
  });
});

describe('rotation of the server’s identity', () => {
  it('breaks no connection, and new handshakes get the new certificate', async () => {
    const store = storeOf(AUTHORITY);
    await using server = await startServer(store);
    const first = connectAs(server.port, ROOT, AUTHORITY.svid());
    const before = await server.admitted();
    before.socket.pipe(before.socket);
    for (let turn = 0; turn < 5; turn++) publish(store, AUTHORITY.svid());
    expect(await echoed(first, 'still here')).to.equal('still here');
    const second = connectAs(server.port, ROOT, AUTHORITY.svid());
    const after = await server.admitted();
    expect(after.own.generation).to.equal(6);
    expect(second.getPeerX509Certificate()?.raw.equals(store.identity!.leaf.der)).to.equal(true);
    expect(await echoed(first, 'and still')).to.equal('and still');
    expect(server.counts).to.deep.equal({ admitted: 2, refused: 0 });
  });

  it('tells the certificate that a handshake really used, however many came in the middle', async () => {
    for (const rotations of [1, 3]) {
      const store = storeOf(AUTHORITY);
      await using server = await startServer(store);
      const before = store.identity!;
      const raw = net.connect(server.port, '127.0.0.1');
      await once(server.server, 'connection');
      for (let turn = 0; turn < rotations; turn++) publish(store, AUTHORITY.svid());
      const client = connectAs(server.port, ROOT, AUTHORITY.svid(), { socket: raw });
      const { own } = await server.admitted();
      expect(own).to.equal(before);
      expect(client.getPeerX509Certificate()?.raw.equals(before.leaf.der)).to.equal(true);
    }
  });

  it('follows the bundle: an authority that was added is believed, one that was withdrawn is not', async () => {
    const store = storeOf(AUTHORITY);
    await using server = await startServer(store);
    const authorities = [ROOT.rootDer, FOREIGN.rootDer];
    store.publishTrust({ ...ROOT.bundle(2), authorities });
    connectAs(server.port, ROOT, FOREIGN.svid());
    await server.admitted();
    store.publishTrust({ ...ROOT.bundle(3), authorities: [ROOT.rootDer] });
    connectAs(server.port, ROOT, FOREIGN.svid());
    expect((await server.refused()).refusal.code).to.equal('peer_untrusted');
  });

  it('no longer listens to the store when it is closed', async () => {
    const store = storeOf(AUTHORITY);
    const server = await startServer(store);
    let swaps = 0;
    const swap = server.server.setSecureContext.bind(server.server);
    server.server.setSecureContext = (options) => {
      swaps++;
      swap(options);
    };
    publish(store, AUTHORITY.svid());
    await server[Symbol.asyncDispose]();
    publish(store, AUTHORITY.svid());
    expect(swaps).to.equal(1);
  });
});

async function echoed(socket: TLSSocket, text: string): Promise<string> {
  const answer = once(socket, 'data');
  socket.write(text);
  return String((await answer)[0]);
}
