/**
 * Promise: a peer with a good SVID that turns hostile inside its tunnel loses its stream or its session, by name, and
 * nothing else happens: other peers are served meanwhile, memory stays bounded, and nothing stays behind. Whoever has
 * no good SVID gets no byte of HTTP/2 at all.
 * Real parts: dev issuer, citadel and a sidecar as processes; the test is the apps and the peers.
 */
import { expect } from 'chai';
import { H2 } from '../../sidecar/tunnel/error-codes.ts';
import { FLAG, FRAME } from '../../sidecar/tunnel/frame-format.ts';
import type { Field } from '../../sidecar/tunnel/hpack-tables.ts';
import { block, data, frame, headers, type RawPeer, settings, u32 } from '../sidecar/tunnel/tunnel-rig.ts';
import { type App, httpApp, type RawApp, rawApp } from '../support/app-server.ts';
import { type ForgedOptions, meshAuthority } from '../support/mesh-authority.ts';
import { type MeshSvid, OneSidecar } from '../support/one-sidecar.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { bytesFor, framePeer, HonestPeer } from '../support/tunnel-peers.ts';
import { until } from '../support/until.ts';

const MIB = 1 << 20;
/** For everything here: what the limits of one session allow, and room for the garbage of a busy minute. */
const MOST_GROWTH = 192 * MIB;
const STREAMS = 1000;
const PING = frame(FRAME.PING, 0, 0, Buffer.alloc(8));
const many = (count: number, one: (at: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, at) => one(at)));
const reset = (stream: number): Buffer => frame(FRAME.RST_STREAM, 0, stream, u32(H2.CANCEL));
/** Ids of the streams of a client. */
const id = (at: number): number => 2 * at + 1;

describe('a sidecar, attacked inside its tunnels', () => {
  let app: App<unknown>;
  let raw: RawApp;
  let closedPort: number;
  let sidecar: OneSidecar;
  let svid: MeshSvid;
  let honest: HonestPeer;
  let forge: (options?: ForgedOptions) => MeshSvid;
  let restingBytes: number;

  const memory = (): Promise<number> => sidecar.metric('process_resident_memory_bytes');
  const refusals = (code: string): Promise<number> => sidecar.metric(`sidecar_refusals_total{code="${code}"}`);
  const port = (): number => sidecar.orders.plan.ports.tunnel;
  const connect = (authority: string): readonly Field[] => [
    [':method', 'CONNECT'],
    [':authority', authority],
  ];
  const toApp = (stream: number): Buffer => headers(stream, connect(`127.0.0.1:${appPort()}`));
  const toRaw = (stream: number): Buffer => headers(stream, connect(`127.0.0.1:${raw.port}`));
  const appPort = (): number => app.port;

  before(async function () {
    this.timeout(60_000);
    app = await httpApp((request, response) => response.end(request.url === '/big' ? Buffer.alloc(MIB / 4) : 'served'));
    raw = await rawApp();
    const closed = await rawApp();
    closedPort = closed.port;
    await closed[Symbol.asyncDispose]();
    const inbound = [
      { name: 'app', protocol: 'http', app: `127.0.0.1:${app.port}` },
      { name: 'raw', protocol: 'tcp', app: `127.0.0.1:${raw.port}` },
      { name: 'closed', protocol: 'tcp', app: `127.0.0.1:${closedPort}` },
    ];
    sidecar = await OneSidecar.start({ appPort: app.port, settings: { inbound } });
    svid = await sidecar.svid();
    forge = await meshAuthority(sidecar.mesh);
    honest = await HonestPeer.connect(port(), svid, app.port);
    restingBytes = await memory();
  });
  after(async () => {
    await honest?.[Symbol.asyncDispose]();
    await sidecar?.[Symbol.asyncDispose]();
    await raw?.[Symbol.asyncDispose]();
    await app?.[Symbol.asyncDispose]();
  });

  /** While something goes on, an honest peer asks again and again, and is served each time. */
  async function meanwhileServed<T>(attack: Promise<T>): Promise<T> {
    let isOver = false;
    const over = attack.finally(() => {
      isOver = true;
    });
    over.catch(() => {}); // it is awaited below
    do expect(await honest.ask()).to.match(/^HTTP\/1\.1 200 [\s\S]*served$/);
    while (!isOver);
    return over;
  }

  async function hostile(attack: (peer: RawPeer) => Promise<void>): Promise<void> {
    await using peer = await framePeer(port(), svid);
    await meanwhileServed(attack(peer));
  }

  async function ends(peer: RawPeer, code: number, refusal: string, earlier: number): Promise<void> {
    expect((await peer.goAway()).code).to.equal(code);
    await until('it is closed', () => peer.hasEnded || peer.socket.destroyed);
    await until(`${refusal} is counted`, async () => (await refusals(refusal)) > earlier);
  }

  const FLOODS: Readonly<Record<string, () => Buffer>> = {
    'resets streams as fast as it opens them': () => many(5_000, (at) => Buffer.concat([toApp(id(at)), reset(id(at))])),
    'opens and resets streams that the app has accepted already': () =>
      Buffer.concat([many(800, (at) => toRaw(id(at))), many(800, (at) => reset(id(at))), many(4_000, () => PING)]),
    'never ends a header block': () =>
      Buffer.concat([
        headers(1, connect('a:1'), 0),
        many(1_000, () => frame(FRAME.CONTINUATION, 0, 1, Buffer.alloc(1, 0x82))),
      ]),
    'sends SETTINGS again and again': () => many(5_000, () => settings()),
    'sends PINGs again and again': () => many(5_000, () => PING),
    'sends DATA without bytes': () => Buffer.concat([toRaw(1), many(5_000, () => data(1, ''))]),
    'grants single bytes of window': () => many(30_000, () => frame(FRAME.WINDOW_UPDATE, 0, 0, u32(1))),
    'sends a header bomb': () => {
      const entry = Buffer.concat([Buffer.from('4001617f8117', 'hex'), Buffer.alloc(3072, 0x62)]);
      const references = Buffer.alloc(4_000, 0xbe);
      // Behind a table that has its full size.
      const fragment = Buffer.concat([
        Buffer.from('3fe11f', 'hex'),
        block(connect('a:1')).subarray(1),
        entry,
        references,
      ]);
      return frame(FRAME.HEADERS, FLAG.END_HEADERS, 1, fragment);
    },
    'names an authority of 40 kB': () => {
      const whole = block(connect(`${'a'.repeat(40_000)}:1`));
      const [first, second, third] = [
        whole.subarray(0, 16_000),
        whole.subarray(16_000, 32_000),
        whole.subarray(32_000),
      ];
      return Buffer.concat([
        frame(FRAME.HEADERS, 0, 1, first),
        frame(FRAME.CONTINUATION, 0, 1, second),
        frame(FRAME.CONTINUATION, FLAG.END_HEADERS, 1, third),
      ]);
    },
    'sends frames without a meaning': () => many(5_000, () => frame(0xaa, 0, 0, Buffer.alloc(64))),
  };
  for (const [what, flood] of Object.entries(FLOODS)) {
    it(`ends a peer that ${what}: tunnel_flooded`, () =>
      hostile(async (peer) => {
        const earlier = await refusals('tunnel_flooded');
        peer.greet();
        peer.send(flood());
        await ends(peer, H2.ENHANCE_YOUR_CALM, 'tunnel_flooded', earlier);
      }));
  }

  it('ends a peer that speaks HTTP/1.1 where it agreed on HTTP/2: tunnel_malformed', () =>
    hostile(async (peer) => {
      const earlier = await refusals('tunnel_malformed');
      peer.send(Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'latin1'));
      await ends(peer, H2.PROTOCOL_ERROR, 'tunnel_malformed', earlier);
    }));

  it('bounds what it keeps for a thousand streams whose peer takes nothing', () =>
    hostile(async (peer) => {
      peer.greet({ INITIAL_WINDOW_SIZE: 0 });
      const request = 'GET /big HTTP/1.1\r\nHost: a\r\n\r\n';
      for (let at = 0; at < STREAMS; at++) peer.send(toApp(id(at)), data(id(at), request));
      await until('all are open', () => peer.of(FRAME.HEADERS).length === STREAMS);
      await honest.ask('/big');
      expect((await memory()) - restingBytes).to.be.below(MOST_GROWTH);
      expect(peer.of(FRAME.DATA)).to.deep.equal([]);
    }));

  it('bounds what it keeps for a thousand streams whose app takes nothing', () =>
    hostile(async (peer) => {
      const at = raw.count;
      peer.greet();
      peer.send(many(STREAMS, (one) => toRaw(id(one))));
      await until('all are open', () => peer.of(FRAME.HEADERS).length === STREAMS, 20_000);
      const apps = await Promise.all(Array.from({ length: STREAMS }, (_, one) => raw.connection(at + one)));
      for (const { socket } of apps) socket.pause();
      // As much as any window allows, and far more than the whole connection's.
      for (let one = 0; one < 60; one++)
        for (let part = 0; part < 16; part++) peer.send(data(id(one), Buffer.alloc(16_000)));
      await honest.ask('/big');
      expect((await memory()) - restingBytes).to.be.below(MOST_GROWTH);
      for (const { socket } of apps) socket.resume();
    }));

  it('refuses streams beyond its limit, which end nothing else', () =>
    hostile(async (peer) => {
      peer.greet();
      peer.send(many(STREAMS + 200, (at) => toRaw(id(at))));
      await until('the rest is refused', () => peer.of(FRAME.RST_STREAM).length === 200);
      await until('the others are served', () => peer.of(FRAME.HEADERS).length === STREAMS, 20_000);
      expect(peer.of(FRAME.RST_STREAM).every(({ payload }) => payload.readUInt32BE() === H2.REFUSED_STREAM)).to.equal(
        true,
      );
      expect(peer.of(FRAME.GOAWAY)).to.deep.equal([]);
    }));

  it('answers five thousand tunnels to an app that is away, each with 503', () =>
    hostile(async (peer) => {
      peer.greet();
      const earlier = await refusals('app_unreachable');
      for (let from = 0; from < 5_000; from += 500) {
        peer.send(many(500, (at) => headers(id(from + at), connect(`127.0.0.1:${closedPort}`))));
        await until('they are answered', () => peer.of(FRAME.HEADERS).length === from + 500);
      }
      expect(await peer.statusOf(id(4_999))).to.equal('503');
      expect(await refusals('app_unreachable')).to.equal(earlier + 5_000);
      // And the log is not flooded with them.
      const lines = sidecar.orders.sidecar.events(({ event }) => event === 'tunnel_refused');
      expect(lines.length).to.be.below(300);
    }));

  for (const [what, authority, status] of [
    ['the port of nobody', () => '127.0.0.1:1', '404'],
    ['its metrics', () => `127.0.0.1:${sidecar.orders.plan.ports.metrics}`, '404'],
    ['its admin port', () => `localhost:${sidecar.orders.plan.ports.admin}`, '404'],
    ['another address', () => `10.0.0.1:${app.port}`, '400'],
    ['another loopback address', () => `127.0.0.2:${app.port}`, '400'],
    ['loopback of IPv6', () => `[::1]:${app.port}`, '400'],
    ['an address in other words', () => `2130706433:${app.port}`, '200'],
    ['an authority of 10 kB', () => `${'a.'.repeat(5_000)}b:${app.port}`, '400'],
    ['a port beyond 65535', () => `a:${app.port + 65_536}`, '400'],
    ['two ports', () => `a:1:${app.port}`, '400'],
  ] as const) {
    it(`answers a tunnel to ${what} with ${status}, and goes nowhere else`, () =>
      hostile(async (peer) => {
        peer.greet();
        peer.send(headers(1, connect(authority())));
        expect(await peer.statusOf(1)).to.equal(status);
      }));
  }

  it('has nothing left of all of them', async () => {
    const open = 'sidecar_connections{direction="inbound",listener="tunnel",leg="mtls"}';
    await until('only the honest session is open', async () => (await sidecar.metric(open)) === 1);
    await until('no app has a connection but of the honest', () => {
      const alive = Array.from({ length: raw.count }, (_, at) => raw.connection(at));
      return Promise.all(alive).then((all) => all.every(({ socket, ended }) => socket.destroyed || ended));
    });
    expect((await memory()) - restingBytes).to.be.below(MOST_GROWTH);
    expect(sidecar.orders.sidecar.running).to.equal(true);
  });

  const STRANGERS: readonly (readonly [string, string, () => MeshSvid | undefined])[] = [
    ['without certificate', 'peer_certificate_missing', () => undefined],
    [
      'of another trust domain',
      'peer_trust_domain_unknown',
      () => forge({ uris: ['spiffe://elsewhere.example/ns/shop/sa/web'] }),
    ],
    [
      'whose certificate has expired',
      'peer_certificate_expired',
      () => forge({ notBefore: Date.now() - 20_000, notAfter: Date.now() - 1_000 }),
    ],
    [
      'of another authority',
      'peer_untrusted',
      () => {
        const foreign = createTestAuthority({ trustDomain: 'cluster.local' });
        const { chainPem, keyPem } = foreign.svid({ uri: svid.spiffeId });
        return { ...svid, certPem: chainPem + foreign.pem, keyPem };
      },
    ],
  ];
  for (const [who, code, presented] of STRANGERS) {
    it(`gives a peer ${who} no byte of HTTP/2: ${code}`, async () => {
      const earlier = await refusals(code);
      expect(await meanwhileServed(bytesFor(port(), presented()))).to.have.length(0);
      await until('it is counted', async () => (await refusals(code)) === earlier + 1);
    });
  }

  for (const [what, options] of [
    ['no protocol', {}],
    ['HTTP/1.1 only', { ALPNProtocols: ['http/1.1'] }],
  ] as const) {
    it(`gives a peer that offers ${what} no byte of HTTP/2`, async () => {
      expect(await meanwhileServed(bytesFor(port(), svid, options))).to.have.length(0);
    });
  }
});
