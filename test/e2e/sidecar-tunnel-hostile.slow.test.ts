/**
 * Promise: patience does not help a hostile peer with a good SVID: a hundred thousand tunnels to an app that is away,
 * sessions that never begin, and two thousand that do nothing cost little memory, and an honest peer is served meanwhile.
 * Real parts: dev issuer, citadel and a sidecar as processes; the test is the app and the peers.
 */
import { once } from 'node:events';
import type { TLSSocket } from 'node:tls';
import { expect } from 'chai';
import { H2 } from '../../sidecar/tunnel/error-codes.ts';
import { FRAME, PREFACE } from '../../sidecar/tunnel/frame-format.ts';
import type { Field } from '../../sidecar/tunnel/hpack-tables.ts';
import { TUNNEL_LIMITS } from '../../sidecar/tunnel/tunnel-limits.ts';
import { headers, SETTINGS_ACK, settings } from '../sidecar/tunnel/tunnel-rig.ts';
import { type App, httpApp, rawApp } from '../support/app-server.ts';
import { type MeshSvid, OneSidecar, tlsTo } from '../support/one-sidecar.ts';
import { framePeer, HonestPeer } from '../support/tunnel-peers.ts';
import { until } from '../support/until.ts';

const MIB = 1 << 20;
const MOST_GROWTH = 192 * MIB;
const TUNNELS = 100_000;
const AT_ONCE = 500;
const SESSIONS = 2_000;
const SILENT = 100;

describe('a sidecar, attacked inside its tunnels with patience', () => {
  let app: App<unknown>;
  let closedPort: number;
  let sidecar: OneSidecar;
  let svid: MeshSvid;
  let honest: HonestPeer;
  let restingBytes: number;

  before(async () => {
    app = await httpApp((_request, response) => response.end('served'));
    const closed = await rawApp();
    closedPort = closed.port;
    await closed[Symbol.asyncDispose]();
    const inbound = [
      { name: 'app', protocol: 'http', app: `127.0.0.1:${app.port}` },
      { name: 'closed', protocol: 'tcp', app: `127.0.0.1:${closedPort}` },
    ];
    sidecar = await OneSidecar.start({ appPort: app.port, settings: { inbound } });
    svid = await sidecar.svid();
    honest = await HonestPeer.connect(port(), svid, app.port);
    restingBytes = await memory();
  });
  after(async () => {
    await honest?.[Symbol.asyncDispose]();
    await sidecar?.[Symbol.asyncDispose]();
    await app?.[Symbol.asyncDispose]();
  });

  const port = (): number => sidecar.orders.plan.ports.tunnel;
  const memory = (): Promise<number> => sidecar.metric('process_resident_memory_bytes');
  const refusals = (code: string): Promise<number> => sidecar.metric(`sidecar_refusals_total{code="${code}"}`);
  const toClosed = (): readonly Field[] => [
    [':method', 'CONNECT'],
    [':authority', `127.0.0.1:${closedPort}`],
  ];
  const batch = (from: number): Buffer =>
    Buffer.concat(Array.from({ length: AT_ONCE }, (_, at) => headers(2 * (from + at) + 1, toClosed())));

  /** Each time an honest peer asks, it is served. */
  async function isServed(): Promise<void> {
    expect(await honest.ask()).to.match(/^HTTP\/1\.1 200 [\s\S]*served$/);
  }

  it('answers a hundred thousand tunnels to an app that is away, one batch after the other', async () => {
    // No session asks for more than it may ask for at once, however fast the machine is: that is the next test.
    const each = TUNNEL_LIMITS.headers.burst;
    for (let done = 0; done < TUNNELS; done += each) {
      await using peer = await framePeer(port(), svid);
      peer.greet();
      let [answered, looked] = [0, 0];
      peer.socket.on('data', () => {
        for (; looked < peer.frames.length; looked++) if (peer.frames[looked]!.type === FRAME.HEADERS) answered++;
      });
      for (let from = 0; from < each; from += AT_ONCE) {
        peer.send(batch(from));
        await Promise.all([isServed(), until('they are answered', () => answered === from + AT_ONCE, 20_000)]);
      }
    }
    expect(await refusals('app_unreachable')).to.equal(TUNNELS);
    expect((await memory()) - restingBytes).to.be.below(MOST_GROWTH);
  });

  it('ends a peer that asks for as many at once: tunnel_flooded', async () => {
    await using peer = await framePeer(port(), svid);
    peer.greet();
    for (let from = 0; from < TUNNELS; from += AT_ONCE) peer.send(batch(from));
    await isServed();
    expect((await peer.goAway()).code).to.equal(H2.ENHANCE_YOUR_CALM);
    await isServed();
    expect((await memory()) - restingBytes).to.be.below(MOST_GROWTH);
  });

  it('ends sessions that never begin, or begin by half: tunnel_silent', async () => {
    const before = await refusals('tunnel_silent');
    const beginnings = [Buffer.alloc(0), PREFACE.subarray(0, 10), PREFACE, Buffer.concat([PREFACE, settings()])];
    const sockets: TLSSocket[] = [];
    for (let at = 0; at < SILENT; at++) {
      const socket = tlsTo(port(), svid, { ALPNProtocols: ['h2'] });
      socket.on('error', () => socket.destroy()).resume();
      sockets.push(socket);
      await once(socket, 'secureConnect');
      socket.write(beginnings[at % beginnings.length]!);
    }
    await isServed();
    await until('all are closed', () => sockets.every(({ destroyed }) => destroyed), 20_000);
    expect(await refusals('tunnel_silent')).to.equal(before + SILENT);
  });

  it(`keeps ${SESSIONS} sessions that do nothing, cheaply, and serves beside them`, async () => {
    const earlier = await memory();
    const sockets: TLSSocket[] = [];
    for (let begun = 0; begun < SESSIONS; begun += 50) {
      const some = Array.from({ length: 50 }, () => tlsTo(port(), svid, { ALPNProtocols: ['h2'] }));
      sockets.push(...some);
      await Promise.all([isServed(), ...some.map((socket) => once(socket, 'secureConnect'))]);
      for (const socket of some) {
        socket.on('error', () => socket.destroy()).resume();
        socket.write(Buffer.concat([PREFACE, settings(), SETTINGS_ACK]));
      }
    }
    const open = 'sidecar_connections{direction="inbound",listener="tunnel",leg="mtls"}';
    expect(await sidecar.metric(open)).to.equal(SESSIONS + 1);
    const each = ((await memory()) - earlier) / SESSIONS;
    console.log(`      ${Math.round(each / 1024)} KiB of memory for each session`);
    expect(each).to.be.below(128 * 1024);
    for (const socket of sockets) socket.destroy();
    await until('they are gone', async () => (await sidecar.metric(open)) === 1);
    await isServed();
  });
});
