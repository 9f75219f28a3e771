/**
 * Sends drawn frame sequences to sessions of both roles, with an app behind them that does anything it may, and checks
 * what must hold whatever comes. `node test/fuzz/tunnel-frames.fuzz.ts [sequences] [seed]`; a failure names its seed.
 */
import { Duplex } from 'node:stream';
import { Refusal } from '../../shared/errors/refusal.ts';
import { DEFAULT_WINDOW, FRAME, MOST_31_BITS, PREFACE, SETTING } from '../../sidecar/tunnel/frame-format.ts';
import { Session } from '../../sidecar/tunnel/session.ts';
import type { Role } from '../../sidecar/tunnel/session-core.ts';
import { TUNNEL_LIMITS, type TunnelLimits } from '../../sidecar/tunnel/tunnel-limits.ts';
import type { TunnelStream } from '../../sidecar/tunnel/tunnel-stream.ts';
import { FrameLog } from '../sidecar/tunnel/tunnel-rig.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { lentHead } from '../support/lent-head.ts';
import { Chance } from './chance.ts';
import { FrameSequences } from './tunnel-frame-sequences.ts';

const LIMITS: TunnelLimits = { ...TUNNEL_LIMITS, streams: 8, windowBytes: 70_000, windowMostBytes: 140_000 };
/** Sequences that share a turn of the event loop. */
const BATCH = 20;

class Broken extends Error {}

function must(holds: boolean, what: string): void {
  if (!holds) throw new Broken(what);
}

/** Takes everything at once and keeps it. */
class Sink extends Duplex {
  readonly written: Buffer[] = [];
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written.push(Buffer.from(chunk));
    done();
  }
}

/** One session, its app, and what was seen of both. */
class Run {
  readonly #chance: Chance;
  readonly #role: Role;
  readonly #socket = new Sink();
  readonly #clock = new FakeClock();
  readonly #session: Session;
  readonly #input: Buffer;
  readonly #pieces: Buffer[];
  readonly #streams: { stream: TunnelStream; closes: number }[] = [];
  #openings = 0;
  #closes = 0;

  constructor(seed: number) {
    this.#chance = new Chance(seed);
    this.#role = this.#chance.holds(1 / 2) ? 'client' : 'server';
    const sequences = new FrameSequences(this.#chance, this.#role);
    this.#input = sequences.draw();
    this.#pieces = sequences.cut(this.#input);
    this.#session = new Session({
      socket: this.#socket,
      role: this.#role,
      clock: this.#clock,
      limits: LIMITS,
      events: {
        onConnect: (request) => {
          must(this.#closes === 0, 'a request after the end');
          if (this.#chance.holds(1 / 5)) request.refuse(403);
          else this.#use(request.accept());
        },
        onClose: () => {
          this.#closes++;
          must(this.#session.streams === 0, 'streams after the end');
        },
      },
    });
  }

  async play(): Promise<void> {
    const opens = this.#role === 'client' ? this.#chance.below(12) : 0;
    for (let at = 0; at < opens; at++) this.#open();
    for (const piece of this.#pieces) {
      this.#socket.emit('data', piece);
      must(this.#session.streams <= LIMITS.streams || this.#role === 'client', 'more streams than the limit');
      for (const { stream } of this.#streams)
        must(stream.isClosed || stream.sendWindow <= MOST_31_BITS, 'a window too large');
      if (this.#chance.holds(1 / 3)) await Promise.resolve();
      this.#act();
    }
  }

  async end(): Promise<void> {
    if (this.#chance.holds(1 / 3)) this.#session.drain();
    if (this.#chance.holds(1 / 3)) this.#session.cut(new Refusal('draining'));
    this.#socket.destroy();
    await new Promise((resolve) => setImmediate(resolve));
    // A receiver may pause again for what is still held; it ends all the same.
    for (let round = 0; round < 50 && this.#streams.some(({ closes }) => closes === 0); round++) {
      for (const { stream } of this.#streams) stream.resume();
      await new Promise((resolve) => setImmediate(resolve));
    }
    must(this.#closes === 1, `closed ${this.#closes} times`);
    must(this.#session.isClosed && this.#session.streams === 0, 'not closed');
    must(this.#openings === 0, 'an open that never settled');
    for (const { closes, stream } of this.#streams) {
      must(closes === 1, `a stream that was closed ${closes} times`);
      must(stream.isClosed && stream.isEnded && stream.queued === 0, 'a stream that kept something');
    }
    must(this.#clock.pending === 0, 'a timer after the end');
    this.#checkOutput();
  }

  #open(): void {
    this.#openings++;
    this.#session.open('app:80').then(
      (stream) => {
        this.#openings--;
        this.#use(stream);
      },
      (why) => {
        this.#openings--;
        must(why instanceof Refusal, 'an open that failed with something else');
      },
    );
  }

  #use(stream: TunnelStream): void {
    const seen = { stream, closes: 0, ends: 0 };
    this.#streams.push(seen);
    if (this.#chance.holds(1 / 4)) stream.pause();
    stream.receiver = {
      onBytes: (bytes) => {
        must(seen.closes === 0 && seen.ends === 0, 'bytes after an end');
        must(!stream.isPaused, 'bytes while paused');
        must(bytes.length > 0, 'no bytes');
        if (this.#chance.holds(1 / 3)) stream.write(bytes, false);
        if (this.#chance.holds(1 / 6)) stream.pause();
        if (this.#chance.holds(1 / 40)) stream.abort(new Refusal('app_reset'));
      },
      onEnd: () => {
        must(seen.closes === 0 && seen.ends++ === 0, 'a second end');
        if (this.#chance.holds(1 / 2)) stream.end();
      },
      onDrain: () => must(seen.closes === 0, 'room after the close'),
      onClose: () => void seen.closes++,
    };
  }

  #act(): void {
    if (this.#streams.length === 0 || this.#chance.holds(1 - 1 / 2)) return;
    const { stream } = this.#chance.of(this.#streams);
    const chance = this.#chance;
    switch (chance.below(8)) {
      case 0:
        stream.pause();
        break;
      case 1:
      case 2:
        stream.resume();
        break;
      case 3:
        stream.end();
        break;
      case 4:
        if (chance.holds(1 / 5)) stream.abort(new Refusal('app_reset'));
        break;
      case 5:
        stream.writeHead(lentHead('head'), Buffer.alloc(chance.below(3000)), 0, 0, true);
        break;
      default:
        stream.write(Buffer.alloc(chance.below(chance.holds(1 / 8) ? 90_000 : 300)), chance.holds(1 / 2));
    }
  }

  /** What we sent, against what the peer has allowed at most: every window it ever gave, whether it counted or not. */
  #checkOutput(): void {
    const ours = new FrameLog();
    const output = Buffer.concat(this.#socket.written);
    ours.push(this.#role === 'client' ? output.subarray(PREFACE.length) : output);
    const theirs = new FrameLog();
    theirs.push(this.#role === 'server' ? this.#input.subarray(PREFACE.length) : this.#input);
    const allowed = new Map<number, number>();
    let window = DEFAULT_WINDOW;
    for (const { type, stream, payload } of theirs.frames) {
      const id = stream & MOST_31_BITS;
      if (type === FRAME.WINDOW_UPDATE && payload.length === 4) {
        allowed.set(id, (allowed.get(id) ?? 0) + (payload.readUInt32BE(0) & MOST_31_BITS));
      } else if (type === FRAME.SETTINGS) {
        for (let at = 0; at + 6 <= payload.length; at += 6) {
          if (payload.readUInt16BE(at) === SETTING.INITIAL_WINDOW_SIZE)
            window = Math.max(window, payload.readUInt32BE(at + 2));
        }
      }
    }
    const sent = new Map<number, number>();
    const ended = new Set<number>();
    for (const { type, flags, stream, payload } of ours.frames) {
      must(payload.length <= LIMITS.frameBytes, 'a frame too large');
      must(
        !ended.has(stream) || type === FRAME.WINDOW_UPDATE || type === FRAME.RST_STREAM,
        'a frame after the end of a stream',
      );
      if (type === FRAME.RST_STREAM || (stream !== 0 && (flags & 1) !== 0 && type <= FRAME.HEADERS)) ended.add(stream);
      if (type !== FRAME.DATA) continue;
      for (const account of [0, stream]) sent.set(account, (sent.get(account) ?? 0) + payload.length);
    }
    for (const [stream, bytes] of sent) {
      const first = stream === 0 ? DEFAULT_WINDOW : window;
      must(bytes <= first + (allowed.get(stream) ?? 0), `${bytes} bytes on stream ${stream}, more than its window`);
    }
  }
}

/** @throws with the seed of the sequence that broke something */
export async function fuzzTunnelFrames(sequences: number, seed: number): Promise<void> {
  for (let first = 0; first < sequences; first += BATCH) {
    const count = Math.min(BATCH, sequences - first);
    await Promise.all(Array.from({ length: count }, (_, at) => playOne(seed + first + at)));
  }
}

async function playOne(seed: number): Promise<void> {
  try {
    const run = new Run(seed);
    await run.play();
    await run.end();
  } catch (cause) {
    throw new Error(`sequence of seed ${seed}: ${(cause as Error).message}`, { cause });
  }
}

if (process.argv[1] === import.meta.filename) {
  const sequences = Number(process.argv[2] ?? 3000);
  const seed = Number(process.argv[3] ?? process.hrtime.bigint() & 0xffffffffn);
  console.log(`${sequences} sequences from seed ${seed}`);
  await fuzzTunnelFrames(sequences, seed);
  console.log(`all held; ${Math.round(process.memoryUsage().heapUsed / 1e6)} MB of heap`);
}
