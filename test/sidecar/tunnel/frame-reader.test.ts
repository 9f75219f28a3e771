import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { FLAG, FRAME, PREFACE } from '../../../sidecar/tunnel/frame-format.ts';
import { FrameReader, type FrameSink } from '../../../sidecar/tunnel/frame-reader.ts';
import { until } from '../../support/until.ts';
import { data, echo, frame, headers, Notes, rawRig, SETTINGS_ACK, settings, u32 } from './tunnel-rig.ts';

/** Writes frames down so that it does not matter in which pieces they came. */
class Written implements FrameSink {
  readonly lines: string[] = [];
  #bytes: Buffer[] = [];
  pieces = 0;

  onDataHead(stream: number, flags: number, length: number): boolean {
    this.lines.push(`head ${stream} ${flags} ${length}`);
    return stream !== 9;
  }

  onDataBytes(bytes: Buffer): void {
    this.pieces++;
    this.#bytes.push(Buffer.from(bytes));
  }

  onDataEnd(flags: number): void {
    this.lines.push(`data ${Buffer.concat(this.#bytes).toString('hex')} ${flags}`);
    this.#bytes = [];
  }

  onFrame(type: number, flags: number, stream: number, bytes: Buffer, from: number, to: number): void {
    this.lines.push(`frame ${type} ${flags} ${stream} ${bytes.toString('hex', from, to)}`);
  }

  onUnknown(): void {
    this.lines.push('unknown');
  }
}

const STREAM = Buffer.concat([
  PREFACE,
  settings({ INITIAL_WINDOW_SIZE: 70_000 }),
  headers(1),
  data(1, 'hello'),
  frame(FRAME.DATA, FLAG.PADDED | FLAG.END_STREAM, 1, Buffer.from([3, 0x61, 0x62, 0, 0, 0])),
  frame(FRAME.DATA, FLAG.PADDED, 1, Buffer.from([2, 0, 0])),
  frame(FRAME.DATA, FLAG.PADDED, 1, Buffer.from([0])),
  data(9, 'skipped'),
  frame(99, 0, 3, Buffer.alloc(5)),
  data(1, ''),
  headers(3, undefined, 0),
  frame(FRAME.CONTINUATION, FLAG.END_HEADERS, 3, Buffer.from('00016101 62'.replace(' ', ''), 'hex')),
  frame(FRAME.PING, 0, 0, Buffer.alloc(8, 7)),
  SETTINGS_ACK,
  frame(FRAME.GOAWAY, 0, 0, u32(1, 0)),
]);

function readIn(...pieces: Buffer[]): Written {
  const written = new Written();
  const reader = new FrameReader(written, 65_536, true);
  for (const piece of pieces) reader.push(piece);
  return written;
}

describe('the frame reader', () => {
  const whole = readIn(STREAM).lines;

  it('reads everything in one piece', () => {
    expect(whole).to.have.length(19);
    expect(whole[4]).to.equal('head 1 9 6');
    expect(whole[5]).to.equal('data 6162 9');
  });

  it('reads the same from any two pieces', () => {
    for (let at = 0; at <= STREAM.length; at++) {
      expect(readIn(STREAM.subarray(0, at), STREAM.subarray(at)).lines, `cut at ${at}`).to.deep.equal(whole);
    }
  });

  it('reads the same byte by byte', () => {
    expect(readIn(...Array.from(STREAM, (byte) => Buffer.from([byte]))).lines).to.deep.equal(whole);
  });

  it('passes DATA on without waiting for its whole frame, and without copying a whole piece', () => {
    const written = new Written();
    const reader = new FrameReader(written, 65_536, false);
    const long = data(1, Buffer.alloc(60_000));
    reader.push(settings());
    reader.push(long.subarray(0, 20_000));
    expect(written.pieces).to.equal(1);
    const seen: Buffer[] = [];
    written.onDataBytes = (bytes) => void seen.push(bytes);
    const piece = Buffer.from(long.subarray(20_000, 40_000));
    reader.push(piece);
    expect(seen[0]).to.equal(piece);
  });

  it('stops within the bytes that are being pushed', () => {
    const written = new Written();
    const reader = new FrameReader(written, 65_536, false);
    written.onFrame = () => reader.stop();
    written.onDataHead = () => expect.fail('read on');
    reader.push(Buffer.concat([settings(), data(1, 'x')]));
    reader.push(data(1, 'x'));
  });
});

describe('a session', () => {
  it('understands its peer whatever the pieces are', async () => {
    const { peer } = rawRig('server', { onConnect: (request) => echo(request.accept()) });
    const bytes = randomBytes(300);
    const parts = [PREFACE, settings(), SETTINGS_ACK, headers(1)];
    for (let at = 0; at < 300; at += 50) parts.push(data(1, bytes.subarray(at, at + 50)));
    parts.push(data(1, '', FLAG.END_STREAM));
    for (const byte of Buffer.concat(parts)) peer.socket.write(Buffer.from([byte]));
    await until('the end', () => peer.of(FRAME.DATA, 1).at(-1)?.flags === FLAG.END_STREAM || undefined);
    expect(peer.bytesOf(1)).to.deep.equal(bytes);
  });

  it('tells whether a frame goes on', async () => {
    const seen: boolean[] = [];
    const notes = new Notes();
    notes.onBytes = (...args: unknown[]) => void seen.push(args[1] as boolean);
    const { peer } = rawRig('server', {
      onConnect: (request) => {
        request.accept().receiver = notes;
      },
    });
    const long = data(1, Buffer.alloc(100));
    peer.send(PREFACE, settings(), SETTINGS_ACK, headers(1), long.subarray(0, 50));
    peer.send(long.subarray(50));
    await until('both', () => seen[1] !== undefined || undefined);
    expect(seen).to.deep.equal([true, false]);
  });
});
