import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { FLAG, FRAME } from '../../../sidecar/tunnel/frame-format.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { lentHead, spoil } from '../../support/lent-head.ts';
import { until } from '../../support/until.ts';
import { acceptedStream, data, frame, headers, Notes, openedStream, settings, u32 } from './tunnel-rig.ts';

const update = (stream: number, increment: number): Buffer => frame(FRAME.WINDOW_UPDATE, 0, stream, u32(increment));
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function turns(count = 10): Promise<void> {
  for (let at = 0; at < count; at++) await turn();
}

describe('sending under flow control (RFC 9113 §6.9)', () => {
  it('sends exactly what a window of one byte lets it, byte by byte', async () => {
    const { peer, stream } = await acceptedStream();
    const notes = Notes.on(stream);
    peer.send(settings({ INITIAL_WINDOW_SIZE: 1 }));
    await until('the ACK', () => peer.of(FRAME.SETTINGS)[2]);
    const bytes = randomBytes(30);
    expect(stream.write(bytes, false)).to.equal(false);
    for (let sent = 1; sent <= 30; sent++) {
      await until(`byte ${sent}`, () => peer.bytesOf(1).length === sent || undefined);
      expect(notes.drains).to.equal(sent === 30 ? 1 : 0);
      peer.send(update(1, 1));
    }
    expect(peer.bytesOf(1)).to.deep.equal(bytes);
    expect(peer.of(FRAME.DATA, 1)).to.have.length(30);
  });

  it('lets SETTINGS make a window negative, and sends nothing until it is positive again (§6.9.2)', async () => {
    const { peer, stream } = await acceptedStream();
    Notes.on(stream);
    stream.write(Buffer.alloc(60_000, 1), false);
    await until('60 000 bytes', () => peer.bytesOf(1).length === 60_000 || undefined);
    // 65 535 - 60 000 left; with a window of 100 that is -59 900.
    peer.send(settings({ INITIAL_WINDOW_SIZE: 100 }));
    await until('the ACK', () => peer.of(FRAME.SETTINGS)[2]);
    expect(stream.sendWindow).to.equal(-59_900);
    stream.write(Buffer.alloc(10, 2), false);
    peer.send(update(1, 59_900));
    await turns();
    expect(peer.bytesOf(1).length).to.equal(60_000);
    peer.send(update(1, 3));
    await until('three bytes', () => peer.bytesOf(1).length === 60_003 || undefined);
    peer.send(settings({ INITIAL_WINDOW_SIZE: 65_535 }));
    await until('the rest', () => peer.bytesOf(1).length === 60_010 || undefined);
  });

  it('is bounded by the connection for all streams together', async () => {
    const { peer, stream, notes } = await acceptedStream();
    Notes.on(stream);
    peer.send(settings({ INITIAL_WINDOW_SIZE: 1_000_000 }), headers(3));
    await until('the second request', () => notes.requests[1]);
    const other = notes.requests[1]!.accept();
    Notes.on(other);
    stream.write(Buffer.alloc(50_000), false);
    other.write(Buffer.alloc(50_000), false);
    await until('the connection window', () => peer.bytesOf(1).length + peer.bytesOf(3).length === 65_535 || undefined);
    await turns();
    expect(peer.bytesOf(3).length).to.equal(15_535);
    peer.send(update(0, 1_000_000));
    await until('the rest', () => peer.bytesOf(3).length === 50_000 || undefined);
  });

  it('cuts frames to the size that the peer accepts', async () => {
    const { peer, stream } = await acceptedStream();
    Notes.on(stream);
    stream.write(Buffer.alloc(60_000), false);
    await until('all of it', () => peer.bytesOf(1).length === 60_000 || undefined);
    expect(peer.of(FRAME.DATA).map(({ payload }) => payload.length)).to.deep.equal([16_384, 16_384, 16_384, 10_848]);
    peer.send(settings({ MAX_FRAME_SIZE: 1 << 20, INITIAL_WINDOW_SIZE: 1 << 20 }), update(0, 1 << 20));
    await until('the ACK', () => peer.of(FRAME.SETTINGS)[2]);
    stream.write(Buffer.alloc(65_536), false);
    await until('one more', () => peer.of(FRAME.DATA)[4]);
    expect(peer.of(FRAME.DATA)[4]!.payload).to.have.length(65_536);
  });

  it('lets streams take turns, a frame each', async () => {
    const { peer, stream, notes } = await acceptedStream();
    const streams = [stream];
    peer.send(settings({ INITIAL_WINDOW_SIZE: 1 << 20, MAX_FRAME_SIZE: 65_536 }), headers(3), headers(5));
    await until('three requests', () => notes.requests[2]);
    streams.push(notes.requests[1]!.accept(), notes.requests[2]!.accept());
    for (const one of streams) Notes.on(one);
    // The connection window is used up by the first bytes; then all three wait.
    stream.write(Buffer.alloc(65_535), false);
    for (const one of streams) one.write(Buffer.alloc(200_000), false);
    const before = peer.of(FRAME.DATA).length;
    peer.send(update(0, 1 << 20));
    await until('everything', () => peer.bytesOf(5).length === 200_000 || undefined);
    const order = peer
      .of(FRAME.DATA)
      .slice(Math.max(before, 1))
      .map(({ stream: id }) => id);
    expect(order.slice(0, 6)).to.deep.equal([1, 3, 5, 1, 3, 5]);
  });

  it('puts a head and its body into one frame', async () => {
    const { peer, stream } = await acceptedStream();
    Notes.on(stream);
    expect(stream.writeHead(lentHead('HTTP/1.1 200 OK\r\n\r\n'), Buffer.from('..body..'), 2, 6, true)).to.equal(true);
    const large = randomBytes(30_000);
    peer.send(settings({ MAX_FRAME_SIZE: 65_536 }));
    await until('the ACK', () => peer.of(FRAME.SETTINGS)[2]);
    expect(stream.writeHead(lentHead('head'), large, 0, large.length, false)).to.equal(true);
    spoil();
    await until('both', () => peer.of(FRAME.DATA)[1]);
    expect(peer.of(FRAME.DATA)[0]!.payload.toString()).to.equal('HTTP/1.1 200 OK\r\n\r\nbody');
    expect(peer.of(FRAME.DATA)[1]!.payload).to.deep.equal(Buffer.concat([Buffer.from('head'), large]));
    expect(stream.bytesWritten).to.equal(23 + 30_004);
  });

  it('keeps head and body in order when they have to wait', async () => {
    const { peer, stream } = await acceptedStream();
    Notes.on(stream);
    peer.send(settings({ INITIAL_WINDOW_SIZE: 3 }));
    await until('the ACK', () => peer.of(FRAME.SETTINGS)[2]);
    const body = Buffer.from('body');
    expect(stream.writeHead(lentHead('head'), body, 0, 4, true)).to.equal(false);
    body.fill('x');
    spoil();
    stream.end();
    peer.send(update(1, 100));
    await until('the end', () => peer.of(FRAME.DATA, 1).at(-1)?.flags === FLAG.END_STREAM || undefined);
    expect(peer.bytesOf(1).toString()).to.equal('headbody');
  });

  it('cuts a writer that goes on in spite of `false`', async () => {
    const { peer, stream } = await acceptedStream({ limits: { queuedBytesPerStream: 100_000 } });
    const notes = Notes.on(stream);
    peer.send(settings({ INITIAL_WINDOW_SIZE: 0 }));
    await until('the ACK', () => peer.of(FRAME.SETTINGS)[2]);
    for (let at = 0; at < 10; at++) stream.write(Buffer.alloc(30_000), true);
    await notes.closed();
    expect(notes.failure?.code).to.equal('tunnel_overflow');
    expect(stream.queued).to.equal(0);
    await peer.resetOf(1);
  });
});

describe('receiving under flow control (RFC 9113 §6.9)', () => {
  const credits = (peer: { of(type: number, stream: number): { payload: Buffer }[] }, stream: number): number[] =>
    peer.of(FRAME.WINDOW_UPDATE, stream).map(({ payload }) => payload.readUInt32BE(0));

  it('credits what was taken, padding too, in halves of the window', async () => {
    const { peer, stream } = await acceptedStream({ limits: { windowBytes: 1000, windowMostBytes: 1000 } });
    const notes = Notes.on(stream);
    peer.send(data(1, Buffer.alloc(499)));
    await until('the bytes', () => notes.length === 499 || undefined);
    await turns();
    expect(credits(peer, 1)).to.deep.equal([]);
    // One byte, its pad length, and 99 of padding.
    peer.send(frame(FRAME.DATA, FLAG.PADDED, 1, Buffer.concat([Buffer.from([99, 1]), Buffer.alloc(99)])), data(1, 'x'));
    await until('credit', () => credits(peer, 1)[0]);
    expect(credits(peer, 1)).to.deep.equal([600]);
    expect(notes.length).to.equal(501);
  });

  it('withholds the credit of a call that paused until it is resumed', async () => {
    const { peer, stream } = await acceptedStream({ limits: { windowBytes: 1000, windowMostBytes: 1000 } });
    const notes = Notes.on(stream);
    notes.onBytes = (bytes) => {
      Notes.prototype.onBytes.call(notes, bytes);
      stream.pause();
    };
    peer.send(data(1, Buffer.alloc(600)));
    await until('the bytes', () => notes.length === 600 || undefined);
    await turns();
    expect(credits(peer, 1)).to.deep.equal([]);
    stream.resume();
    await until('credit', () => credits(peer, 1)[0]);
    expect(credits(peer, 1)).to.deep.equal([600]);
  });

  it('holds what comes while paused, within the window, and delivers it in order at `resume`, the end last', async () => {
    const { peer, stream } = await acceptedStream({ limits: { windowBytes: 256 * 1024 } });
    const notes = Notes.on(stream);
    stream.pause();
    const bytes = randomBytes(200_000);
    for (let at = 0; at < bytes.length; ) {
      const size = at < 1000 ? 1 : 7_000;
      peer.send(data(1, bytes.subarray(at, at + size)));
      at += size;
    }
    peer.send(data(1, '', FLAG.END_STREAM));
    await until('everything', () => stream.bytesRead === 200_000 || undefined);
    expect(notes.order).to.deep.equal([]);
    stream.resume();
    expect(notes.order, 'not inside of resume').to.deep.equal([]);
    await until('the end', () => notes.ends || undefined);
    expect(notes.bytes.equals(bytes)).to.equal(true);
    expect(notes.order).to.deep.equal(['bytes', 'end']);
  });

  it('may be paused and resumed within one call', async () => {
    const { peer, stream } = await acceptedStream({ limits: { windowBytes: 1000, windowMostBytes: 1000 } });
    const notes = Notes.on(stream);
    notes.onBytes = () => {
      stream.pause();
      stream.resume();
    };
    peer.send(data(1, Buffer.alloc(500)));
    await until('credit', () => credits(peer, 1)[0]);
  });

  it('lets windows grow to their part of what all may grow to', async () => {
    const limits = { windowBytes: 1_000, windowMostBytes: 100_000, grownBytes: 16_000 };
    const { peer, stream, notes } = await acceptedStream({ limits, clock: new FakeClock() });
    Notes.on(stream);
    const grow = async (): Promise<number> => {
      for (let round = 0; round < 10; round++) {
        const half = stream.window.size / 2;
        const sent = stream.bytesRead + half;
        peer.send(data(1, Buffer.alloc(half)));
        await until('the bytes', () => stream.bytesRead === sent);
      }
      return stream.window.size;
    };
    peer.send(headers(3), headers(5), headers(7));
    await until('the requests', () => notes.requests.length === 4);
    expect(await grow()).to.equal(4_000);
    peer.send(...[3, 5, 7].map((id) => frame(FRAME.RST_STREAM, 0, id, u32(8))));
    expect(await grow()).to.equal(16_000);
  });

  it('keeps the connection open for others while one stream is paused', async () => {
    const limits = { connectionWindowBytes: 65_535, heldBytes: 1 << 20 };
    const { peer, stream, notes } = await acceptedStream({ limits });
    Notes.on(stream);
    stream.pause();
    peer.send(data(1, Buffer.alloc(60_000)), headers(3));
    await until('the second request', () => notes.requests[1]);
    const other = Notes.on(notes.requests[1]!.accept());
    peer.send(data(3, Buffer.alloc(60_000)));
    await until('the other one', () => other.length === 60_000 || undefined);
    expect(credits(peer, 0).length).to.be.greaterThan(0);
  });

  it('slows the whole connection down when too much is held, and opens it again', async () => {
    const limits = { windowBytes: 256 * 1024, connectionWindowBytes: 65_535, heldBytes: 50_000 };
    const { peer, stream } = await acceptedStream({ limits });
    const notes = Notes.on(stream);
    stream.pause();
    peer.send(data(1, Buffer.alloc(60_000)));
    await until('the first credit', () => credits(peer, 0)[0]);
    peer.send(data(1, Buffer.alloc(60_000)));
    await until('the bytes', () => stream.bytesRead === 120_000 || undefined);
    await turns();
    expect(credits(peer, 0)).to.deep.equal([60_000]);
    stream.resume();
    await until('credit', () => credits(peer, 0)[1]);
    expect(notes.length).to.equal(120_000);
  });

  it('gives the account of a broken stream back', async () => {
    const limits = { windowBytes: 256 * 1024, connectionWindowBytes: 65_535, heldBytes: 50_000 };
    const { peer, stream } = await acceptedStream({ limits });
    const notes = Notes.on(stream);
    stream.pause();
    peer.send(data(1, Buffer.alloc(60_000)), data(1, Buffer.alloc(60_000)));
    await until('the bytes', () => stream.bytesRead === 120_000 || undefined);
    peer.send(frame(FRAME.RST_STREAM, 0, 1, u32(8)));
    await notes.closed();
    await until('credit', () => credits(peer, 0)[1]);
    expect(notes.order).to.deep.equal(['close']);
  });

  it('enforces its own window only after the peer has acknowledged it (§6.5.3)', async () => {
    const { peer, stream } = await openedStream({ limits: { windowBytes: 100, windowMostBytes: 100 } });
    const notes = Notes.on(stream);
    expect(peer.of(FRAME.SETTINGS)[0]!.payload.length).to.be.greaterThan(0);
    stream.pause();
    peer.send(data(1, Buffer.alloc(100)));
    await until('the bytes', () => stream.bytesRead === 100 || undefined);
    peer.send(data(1, 'x'));
    expect(await peer.resetOf(1)).to.equal(3);
    expect(notes.closes).to.equal(1);
  });
});
