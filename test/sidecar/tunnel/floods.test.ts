import { expect } from 'chai';
import { H2 } from '../../../sidecar/tunnel/error-codes.ts';
import { FLAG, FRAME } from '../../../sidecar/tunnel/frame-format.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { until } from '../../support/until.ts';
import { acceptedStream, block, CONNECT, data, frame, headers, rawRig, settings, u32 } from './tunnel-rig.ts';

const PING = frame(FRAME.PING, 0, 0, Buffer.alloc(8));
const many = (count: number, one: (at: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, at) => one(at)));

/** Each ends the session with ENHANCE_YOUR_CALM, whatever its size is. */
const FLOODS: Record<string, () => Buffer> = {
  'rapid reset (CVE-2023-44487)': () =>
    many(3000, (at) => Buffer.concat([headers(2 * at + 3), frame(FRAME.RST_STREAM, 0, 2 * at + 3, u32(8))])),
  'streams beyond the limit': () => many(8000, (at) => headers(2 * at + 3)),
  'malformed requests': () => many(3000, (at) => headers(2 * at + 3, [[':method', 'CONNECT']])),
  'requests that are no CONNECT': () =>
    many(3000, (at) =>
      headers(2 * at + 3, [
        [':method', 'GET'],
        [':scheme', 'https'],
        [':path', '/'],
      ]),
    ),
  'CONTINUATION frames without end (CVE-2024-27316)': () =>
    Buffer.concat([headers(3, CONNECT, 0), many(100, () => frame(FRAME.CONTINUATION, 0, 3, Buffer.alloc(1, 0x82)))]),
  'empty CONTINUATION frames': () =>
    Buffer.concat([headers(3, CONNECT, 0), many(100, () => frame(FRAME.CONTINUATION, 0, 3))]),
  'large CONTINUATION frames': () =>
    Buffer.concat([headers(3, CONNECT, 0), many(3, () => frame(FRAME.CONTINUATION, 0, 3, Buffer.alloc(16_000)))]),
  'a header list of many references (HPACK bomb)': () => {
    const entry = Buffer.concat([Buffer.from('400161' + '7f8117', 'hex'), Buffer.alloc(3072, 0x62)]);
    return frame(
      FRAME.HEADERS,
      FLAG.END_HEADERS,
      3,
      Buffer.concat([Buffer.from('3fe11f', 'hex'), block(CONNECT).subarray(1), entry, Buffer.alloc(1000, 0xbe)]),
    );
  },
  'SETTINGS (CVE-2019-9515)': () => many(200, () => settings()),
  'SETTINGS with thousands of entries': () => frame(FRAME.SETTINGS, 0, 0, Buffer.alloc(6 * 5000)),
  'SETTINGS ACKs': () => many(200, () => frame(FRAME.SETTINGS, FLAG.ACK, 0)),
  'PING (CVE-2019-9512)': () => many(500, () => PING),
  'PING ACKs': () => many(500, () => frame(FRAME.PING, FLAG.ACK, 0, Buffer.alloc(8))),
  'empty DATA (CVE-2019-9518)': () => many(2000, () => data(1, '')),
  WINDOW_UPDATE: () => many(20_000, () => frame(FRAME.WINDOW_UPDATE, 0, 1, u32(1))),
  'PRIORITY (CVE-2019-9513)': () => many(2000, () => frame(FRAME.PRIORITY, 0, 1, Buffer.alloc(5))),
  'frames of unknown type': () => many(2000, () => frame(99, 0, 0, Buffer.alloc(5))),
  'DATA for a stream that is over': () =>
    Buffer.concat([frame(FRAME.RST_STREAM, 0, 1, u32(8)), many(20_000, () => data(1, 'x'))]),
  GOAWAY: () => many(2000, () => frame(FRAME.GOAWAY, 0, 0, u32(1, 0))),
};

describe('floods end with ENHANCE_YOUR_CALM', () => {
  for (const [what, flood] of Object.entries(FLOODS)) {
    it(what, async () => {
      const { peer, notes, session } = await acceptedStream({ clock: new FakeClock() });
      peer.send(flood());
      expect((await peer.goAway()).code).to.equal(H2.ENHANCE_YOUR_CALM);
      expect(notes.closes.map((why) => why?.code)).to.deep.equal(['tunnel_flooded']);
      expect(session.streams).to.equal(0);
    });
  }

  it('a window of one byte at a time, for bytes that wait (CVE-2019-9511)', async () => {
    const { peer, stream, notes } = await acceptedStream({ clock: new FakeClock() });
    stream.receiver = { onBytes() {}, onEnd() {}, onDrain() {}, onClose() {} };
    peer.send(settings({ INITIAL_WINDOW_SIZE: 0 }));
    await until('the ACK', () => peer.of(FRAME.SETTINGS).length > 2 || undefined);
    stream.write(Buffer.alloc(100_000), false);
    peer.send(many(20_000, () => frame(FRAME.WINDOW_UPDATE, 0, 1, u32(1))));
    expect((await peer.goAway()).code).to.equal(H2.ENHANCE_YOUR_CALM);
    expect(notes.closes.map((why) => why?.code)).to.deep.equal(['tunnel_flooded']);
  });

  it('a peer that asks and never reads', async () => {
    const { peer, notes, session } = await acceptedStream({
      limits: { unsentBytes: 100_000, socketBytes: 50_000, pings: { burst: 1e9, perSecond: 1 } },
    });
    peer.socket.pause();
    for (let round = 0; round < 1000 && !session.isClosed; round++) {
      peer.send(many(100, () => PING));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(notes.closes.map((why) => why?.code)).to.deep.equal(['tunnel_flooded']);
    expect(notes.closes[0]?.detail).to.equal('the peer does not read');
  });
});

describe('what is no flood', () => {
  it('one WINDOW_UPDATE for each small DATA frame that we sent, however many', async () => {
    const { peer, stream, notes } = await acceptedStream({ limits: { windowUpdates: { burst: 10, perSecond: 0 } } });
    stream.receiver = { onBytes() {}, onEnd() {}, onDrain() {}, onClose() {} };
    for (let at = 0; at < 500; at++) stream.write(Buffer.from('x'), false);
    await until('DATA', () => peer.bytesOf(1).length === 500 || undefined);
    peer.send(
      many(500, () =>
        Buffer.concat([frame(FRAME.WINDOW_UPDATE, 0, 1, u32(1)), frame(FRAME.WINDOW_UPDATE, 0, 0, u32(1))]),
      ),
      PING,
    );
    await until('the answer', () => peer.of(FRAME.PING)[0]);
    expect(notes.closes).to.deep.equal([]);
  });

  it('as many frames as the rate allows, again after a while', async () => {
    const clock = new FakeClock();
    const { peer, notes } = rawRig('server', { clock });
    peer.greet();
    for (let round = 1; round <= 5; round++) {
      peer.send(many(90, () => PING));
      await until(
        'the answers',
        () => peer.of(FRAME.PING).filter(({ flags }) => flags === FLAG.ACK).length === 90 * round || undefined,
      );
      await clock.advance(9000);
    }
    expect(notes.closes).to.deep.equal([]);
  });
});
