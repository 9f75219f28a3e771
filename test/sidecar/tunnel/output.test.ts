import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { Writable } from 'node:stream';
import { expect } from 'chai';
import { FrameWriter } from '../../../sidecar/tunnel/frame-writer.ts';
import { Output } from '../../../sidecar/tunnel/output.ts';
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
    for (let at = 1; at <= 50; at++) writer.data(at, Buffer.from(`piece ${at}`), true);
    writer.windowUpdate(1, 5);
    expect(socket.writes).to.deep.equal([]);
    await turn();
    expect(socket.writes).to.have.length(1);
    expect(socket.writes[0]).to.have.length(1);
  });

  it('passes a large payload on without copying it, in its place among the others', async () => {
    const { socket, writer } = made();
    const large = randomBytes(40_000);
    writer.data(1, Buffer.from('before'), true);
    writer.data(1, large, false);
    writer.data(1, Buffer.from('behind'), true);
    await turn();
    await socket.takeAll();
    const chunks = socket.writes.flat();
    expect(
      chunks.some((chunk) => chunk === large || (chunk.buffer === large.buffer && chunk.length === 40_000)),
    ).to.equal(true);
    const log = new FrameLog();
    log.push(Buffer.concat(socket.taken));
    expect(log.frames.map(({ payload }) => payload.length)).to.deep.equal([6, 40_000, 6]);
  });

  it('may reuse a lent buffer at once', async () => {
    const { socket, writer } = made();
    const lent = Buffer.alloc(50_000, 1);
    writer.data(1, lent, true);
    lent.fill(2);
    await turn();
    await socket.takeAll();
    expect(
      Buffer.concat(socket.taken)
        .subarray(9)
        .every((byte) => byte === 1),
    ).to.equal(true);
  });

  it('never overwrites what a slow socket has not taken, whatever is written meanwhile', async () => {
    const { socket, writer } = made();
    let seed = 99;
    const draw = (below: number): number => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % below;
    };
    const sent: Buffer[] = [];
    for (let step = 0; step < 3000; step++) {
      const bytes = randomBytes(draw(10) === 0 ? draw(65_536) : draw(700));
      sent.push(bytes);
      if (draw(3) === 0)
        writer.dataOf(
          1,
          bytes.toString('latin1', 0, 10),
          bytes,
          Math.min(10, bytes.length),
          bytes.length,
          draw(2) === 0,
        );
      else writer.data(1, bytes, draw(2) === 0);
      if (draw(5) === 0) await turn();
      if (draw(4) === 0) socket.take();
    }
    await turn();
    await socket.takeAll();
    const log = new FrameLog();
    log.push(Buffer.concat(socket.taken));
    expect(log.frames).to.have.length(sent.length);
    for (const [at, { payload }] of log.frames.entries())
      expect(payload.equals(sent[at]!), `frame ${at}`).to.equal(true);
  });

  it('begins its slab again when nothing of it is needed', async () => {
    const { socket, output, writer } = made();
    const { slab } = output;
    for (let round = 0; round < 200; round++) {
      writer.data(1, Buffer.alloc(1000), true);
      await turn();
      socket.take();
    }
    expect(output.slab).to.equal(slab);
  });

  it('asks streams to wait by what really waits, and tells them of room below half', async () => {
    const { socket, output, writer, events } = made({ socketBytes: 10_000, unsentBytes: 1e9 });
    writer.data(1, Buffer.alloc(9_000), true);
    await turn();
    // A highWaterMark of 1: `write` has returned false, and nothing is wrong.
    expect(output.isBlocked).to.equal(false);
    writer.data(1, Buffer.alloc(9_000), true);
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
    writer.data(1, Buffer.alloc(6000), true);
    await turn();
    expect(events.overflows).to.equal(1);
  });

  it('writes nothing after its end', async () => {
    const { socket, output, writer } = made();
    writer.data(1, Buffer.from('x'), true);
    output.close();
    writer.data(1, Buffer.alloc(70_000), true);
    writer.resetStream(1, 8);
    await turn();
    expect(socket.writes).to.deep.equal([]);
  });
});
