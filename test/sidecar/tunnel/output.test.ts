import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { Writable } from 'node:stream';
import { expect } from 'chai';
import { FrameWriter } from '../../../sidecar/tunnel/frame-writer.ts';
import { Output } from '../../../sidecar/tunnel/output.ts';
import { lentHead } from '../../support/lent-head.ts';
import { FrameLog } from './tunnel-rig.ts';

/** A socket that takes bytes when the test says so. It keeps the very buffers until then, as a real one does. */
class SlowSocket extends Writable {
  readonly writes: Buffer[][] = [];
  readonly taken: Buffer[] = [];
  #done: (() => void) | undefined;

  constructor() {
    super({ highWaterMark: 1, decodeStrings: true });
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.writes.push(chunks.map(({ chunk }) => chunk));
    this.#done = done;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.writes.push([chunk]);
    this.#done = done;
  }

  /** Takes what is being written. @returns false when there was nothing */
  take(): boolean {
    const done = this.#done;
    if (done === undefined) return false;
    this.#done = undefined;
    for (const chunk of this.writes.at(-1)!) this.taken.push(Buffer.from(chunk));
    done();
    return true;
  }

  async takeAll(): Promise<void> {
    for (let idle = 0; idle < 3; ) {
      idle = this.take() ? 0 : idle + 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

function made(limits = { socketBytes: 1e9, unsentBytes: 2e9 }) {
  const socket = new SlowSocket();
  const events = { rooms: 0, overflows: 0 };
  const output = new Output(socket as unknown as Duplex, limits, {
    onRoom: () => void events.rooms++,
    onOverflow: () => void events.overflows++,
  });
  return { socket, output, events, writer: new FrameWriter(output) };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the output of a session', () => {
  it('writes everything of one turn at once', async () => {
    const { socket, writer } = made();
    for (let at = 1; at <= 50; at++) writer.data(at, Buffer.from(`piece ${at}`));
    writer.windowUpdate(1, 5);
    expect(socket.writes).to.deep.equal([]);
    await turn();
    expect(socket.writes).to.have.length(1);
    expect(socket.writes[0]).to.have.length(1);
  });

  it('writes a turn that fills several slabs in order, and part of it before the turn is over', async () => {
    const { socket, writer } = made();
    const sizes = Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? 40_000 : 6));
    for (const size of sizes) writer.data(1, randomBytes(size));
    expect(socket.writes).to.have.length(1);
    await socket.takeAll();
    const log = new FrameLog();
    log.push(Buffer.concat(socket.taken));
    expect(log.frames.map(({ payload }) => payload.length)).to.deep.equal(sizes);
  });

  it('leaves a buffer to its owner at once', async () => {
    const { socket, writer } = made();
    const lent = Buffer.alloc(50_000, 1);
    writer.data(1, lent);
    lent.fill(2);
    await turn();
    await socket.takeAll();
    expect(
      Buffer.concat(socket.taken)
        .subarray(9)
        .every((byte) => byte === 1),
    ).to.equal(true);
  });

  it('never overwrites what a slow socket has not taken, whatever is written meanwhile to it and to others', async () => {
    const sides = [made(), made()].map((one) => ({ ...one, sent: [] as Buffer[] }));
    let seed = 99;
    const draw = (below: number): number => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % below;
    };
    for (let step = 0; step < 6000; step++) {
      const { socket, writer, sent } = sides[draw(2)]!;
      const bytes = randomBytes(draw(10) === 0 ? draw(65_536) : draw(700));
      sent.push(bytes);
      const at = Math.min(10, bytes.length);
      if (draw(3) === 0) writer.dataOf(1, lentHead(bytes.toString('latin1', 0, at)), bytes, at, bytes.length);
      else writer.data(1, bytes);
      if (draw(5) === 0) await turn();
      if (draw(4) === 0) socket.take();
    }
    await turn();
    for (const { socket, sent } of sides) {
      await socket.takeAll();
      const log = new FrameLog();
      log.push(Buffer.concat(socket.taken));
      expect(log.frames).to.have.length(sent.length);
      for (const [at, { payload }] of log.frames.entries())
        expect(payload.equals(sent[at]!), `frame ${at}`).to.equal(true);
    }
  });

  it('keeps no memory when nothing of it is needed, and takes the same again', async () => {
    const { socket, output, writer } = made();
    for (let round = 0; round < 200; round++) {
      writer.data(1, Buffer.alloc(1000));
      await turn();
      socket.take();
    }
    await turn();
    expect(output.slab.length).to.equal(0);
    expect(new Set(socket.writes.flat().map(({ buffer }) => buffer)).size).to.equal(1);
  });

  it('asks streams to wait by what really waits, and tells them of room below half', async () => {
    const { socket, output, writer, events } = made({ socketBytes: 10_000, unsentBytes: 1e9 });
    writer.data(1, Buffer.alloc(9_000));
    await turn();
    // A highWaterMark of 1: `write` has returned false, and nothing is wrong.
    expect(output.isBlocked).to.equal(false);
    writer.data(1, Buffer.alloc(9_000));
    await turn();
    expect(output.isBlocked).to.equal(true);
    expect(output.unsent).to.equal(18_018);
    socket.take();
    await turn();
    expect(events.rooms).to.equal(0);
    socket.take();
    await turn();
    expect([events.rooms, output.isBlocked]).to.deep.equal([1, false]);
  });

  it('tells when more waits than may', async () => {
    const { events, writer } = made({ socketBytes: 1000, unsentBytes: 5000 });
    writer.data(1, Buffer.alloc(6000));
    await turn();
    expect(events.overflows).to.equal(1);
  });

  it('writes nothing after its end', async () => {
    const { socket, output, writer } = made();
    writer.data(1, Buffer.from('x'));
    output.close();
    writer.data(1, Buffer.alloc(70_000));
    writer.resetStream(1, 8);
    await turn();
    expect(socket.writes).to.deep.equal([]);
  });
});
