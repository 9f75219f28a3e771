/**
 * Fuzzes the passive reader of HTTP/2: whatever bytes pass, it throws nothing, tells at most once that it gave up, reads
 * the same however they are cut, and keeps little. `node test/fuzz/h2-calls.fuzz.ts [connections] [seed]`
 */
import { H2Calls } from '../../sidecar/relay/h2-calls.ts';
import { FLAG, FRAME, PREFACE } from '../../sidecar/tunnel/frame-format.ts';
import { Chance } from './chance.ts';

export interface H2FuzzOutcome {
  readonly connections: number;
  readonly served: number;
  /** Connections that were given up, by reason. */
  readonly lost: ReadonlyMap<string, number>;
  readonly fault: string | undefined;
}

interface Piece {
  readonly fromClient: boolean;
  readonly bytes: Buffer;
}

interface Told {
  readonly served: string[];
  readonly lost: string[];
}

const NAMES = [':method', ':path', ':status', 'content-type', 'grpc-status', 'x-request-id', 'x', 'grpc-timeout'];
const VALUES = ['POST', '/a.B/C?q=1', '200', '100', '503', 'application/grpc', '0', '13', 'ID-1', '', 'v'.repeat(300)];

/** Each connection has a seed of its own, so that one can be repeated without those before it. */
export function fuzzH2Calls(count: number, seed: number): H2FuzzOutcome {
  const lost = new Map<string, number>();
  let served = 0;
  let at = 0;
  for (; at < count; at++) {
    const chance = new Chance(seed + at);
    const pieces = connection(chance);
    try {
      const whole = read(pieces);
      const cut = read(pieces.flatMap((piece) => cutUp(piece, chance)));
      if (JSON.stringify(whole) !== JSON.stringify(cut)) {
        const fault = `seed ${seed + at}: in pieces ${JSON.stringify(cut)}, whole ${JSON.stringify(whole)}`;
        return { connections: at, served, lost, fault };
      }
      served += whole.served.length;
      for (const reason of whole.lost) lost.set(reason, (lost.get(reason) ?? 0) + 1);
      const isOurs = whole.lost.includes('internal') || whole.lost.length > 1;
      if (isOurs) return { connections: at, served, lost, fault: `seed ${seed + at}: lost ${whole.lost}` };
    } catch (error) {
      return { connections: at, served, lost, fault: `seed ${seed + at}: threw ${(error as Error).stack}` };
    }
  }
  return { connections: at, served, lost, fault: undefined };
}

/** What one is told; every buffer is scribbled over after it was lent. */
function read(pieces: readonly Piece[]): Told {
  const told: Told = { served: [], lost: [] };
  const calls = new H2Calls({
    clock: { monotonic: () => 0 },
    who: { peer: undefined, own: undefined },
    resetCode: 'app_reset',
    served: (call) => told.served.push(JSON.stringify(call)),
    lost: (reason) => told.lost.push(reason),
  });
  for (const { fromClient, bytes } of pieces) {
    const lent = Buffer.from(bytes);
    if (fromClient) calls.fromClient(lent);
    else calls.fromServer(lent);
    lent.fill(0xee);
  }
  calls.ended(undefined);
  return told;
}

function cutUp({ fromClient, bytes }: Piece, chance: Chance): Piece[] {
  const most = chance.of([1, 3, 11, 200]);
  const parts: Piece[] = [];
  for (let at = 0; at < bytes.length; ) {
    const to = at + 1 + chance.below(most);
    parts.push({ fromClient, bytes: bytes.subarray(at, to) });
    at = to;
  }
  return parts;
}

/** Mostly right, then damaged in some: random bytes alone would never get past the preface. */
function connection(chance: Chance): Piece[] {
  if (chance.holds(0.05)) return [{ fromClient: chance.holds(0.5), bytes: noise(chance, 200) }];
  const settings = frame(FRAME.SETTINGS, 0, 0, Buffer.alloc(0));
  const pieces: Piece[] = [
    { fromClient: true, bytes: Buffer.concat([PREFACE, settings]) },
    { fromClient: false, bytes: settings },
  ];
  const isWild = chance.holds(0.5);
  for (let left = chance.below(30); left > 0; left--) {
    const fromClient = chance.holds(0.5);
    const some = Array.from({ length: 1 + chance.below(4) }, () => anyFrame(chance, fromClient, isWild));
    const bytes = Buffer.concat(some);
    pieces.push({ fromClient, bytes: isWild && chance.holds(0.1) ? damaged(bytes, chance) : bytes });
  }
  return pieces;
}

function anyFrame(chance: Chance, fromClient: boolean, isWild: boolean): Buffer {
  const stream = isWild && chance.holds(0.05) ? chance.below(4) : 1 + 2 * chance.below(12);
  const flags = chance.holds(0.3) ? FLAG.END_STREAM : 0;
  if (isWild && chance.holds(0.05)) return frame(chance.below(12), chance.below(256), stream, noise(chance, 20));
  switch (chance.below(9)) {
    case 0:
      return frame(FRAME.RST_STREAM, 0, stream, Buffer.alloc(4));
    case 1:
      return frame(FRAME.PING, flags, 0, Buffer.alloc(8));
    case 2:
    case 3:
      return dataFrame(chance, flags, stream);
    case 4:
      return fromClient
        ? frame(FRAME.PRIORITY, 0, stream, Buffer.alloc(5))
        : frame(FRAME.PUSH_PROMISE, FLAG.END_HEADERS, stream, Buffer.concat([Buffer.alloc(4, 2), block(chance)]));
    case 5:
      return chance.holds(0.1) ? frame(FRAME.GOAWAY, 0, 0, Buffer.from([0, 0, 0, 9, 0, 0, 0, 0])) : Buffer.alloc(0);
    default:
      return headerFrames(chance, flags, stream);
  }
}

function dataFrame(chance: Chance, flags: number, stream: number): Buffer {
  const body = noise(chance, 100);
  if (chance.holds(0.7)) return frame(FRAME.DATA, flags, stream, body);
  const padding = chance.below(10);
  const payload = Buffer.concat([Buffer.from([padding]), body, Buffer.alloc(padding)]);
  return frame(FRAME.DATA, flags | FLAG.PADDED, stream, payload);
}

function headerFrames(chance: Chance, flags: number, stream: number): Buffer {
  const fields = block(chance);
  if (chance.holds(0.7)) return frame(FRAME.HEADERS, flags | FLAG.END_HEADERS, stream, fields);
  const at = chance.below(fields.length + 1);
  return Buffer.concat([
    frame(FRAME.HEADERS, flags, stream, fields.subarray(0, at)),
    frame(FRAME.CONTINUATION, FLAG.END_HEADERS, stream, fields.subarray(at)),
  ]);
}

/** Literals that go into the table or do not, and entries that every table has or may have. */
function block(chance: Chance): Buffer {
  const parts: Buffer[] = chance.holds(0.1) ? [Buffer.from([0x20 | chance.below(31)])] : [];
  for (let left = chance.below(6); left > 0; left--) {
    if (chance.holds(0.3)) parts.push(Buffer.from([0x80 | (1 + chance.below(chance.holds(0.98) ? 61 : 70))]));
    else parts.push(Buffer.from([chance.of([0x40, 0x00, 0x10])]), string(chance.of(NAMES)), string(chance.of(VALUES)));
  }
  return Buffer.concat(parts);
}

/** RFC 7541 §5.2, for up to 381 octets. */
function string(text: string): Buffer {
  const { length } = text;
  const head = length < 127 ? [length] : length < 255 ? [127, length - 127] : [127, 0x80 | ((length - 127) & 127), 1];
  return Buffer.concat([Buffer.from(head), Buffer.from(text, 'latin1')]);
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

function damaged(bytes: Buffer, chance: Chance): Buffer {
  if (bytes.length === 0) return noise(chance, 10);
  const at = chance.below(bytes.length);
  const rest = bytes.subarray(at);
  const changed = Buffer.from(bytes);
  changed.writeUInt8(chance.below(256), at);
  const ways = [changed, bytes.subarray(0, at), Buffer.concat([bytes.subarray(0, at), noise(chance, 5), rest]), rest];
  return chance.of(ways);
}

function noise(chance: Chance, most: number): Buffer {
  return Buffer.from(Array.from({ length: chance.below(most) }, () => chance.below(256)));
}

if (import.meta.main) {
  const [count = 200_000, seed = Date.now() % 1_000_000_000] = process.argv.slice(2).map(Number);
  const { connections, served, lost, fault } = fuzzH2Calls(count, seed);
  process.stdout.write(`h2 calls: ${connections} connections from seed ${seed}, ${served} calls; given up:\n`);
  for (const [reason, times] of lost) process.stdout.write(`  ${String(times).padStart(7)}  ${reason}\n`);
  if (fault !== undefined) {
    process.stdout.write(`FAULT ${fault}\n`);
    process.exitCode = 1;
  }
}
