/**
 * Draws what a peer of a tunnel session might send: sequences of frames that are valid, damaged or random, cut into
 * pieces anywhere. The same seed draws the same sequence.
 */
import { FLAG, FRAME, PREFACE } from '../../sidecar/tunnel/frame-format.ts';
import { HpackEncoder } from '../../sidecar/tunnel/hpack-encoder.ts';
import type { Field } from '../../sidecar/tunnel/hpack-tables.ts';
import type { Role } from '../../sidecar/tunnel/session-core.ts';
import { data, frame, headers, SETTINGS_ACK, settings, u32 } from '../sidecar/tunnel/tunnel-rig.ts';
import type { Chance } from './chance.ts';

const INTERESTING = [0, 1, 2, 3, 100, 16_383, 16_384, 65_535, 65_536, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];

const HEADS: readonly (readonly Field[])[] = [
  [
    [':method', 'CONNECT'],
    [':authority', 'app:80'],
  ],
  [
    [':method', 'CONNECT'],
    [':authority', 'app:80'],
    ['baggage', 'k=v'],
  ],
  [
    [':method', 'CONNECT'],
    [':authority', 'app:80'],
    [':path', '/'],
  ],
  [
    [':method', 'GET'],
    [':scheme', 'https'],
    [':path', '/'],
    [':authority', 'a'],
  ],
  [[':status', '200']],
  [[':status', '103']],
  [
    [':status', '503'],
    ['x', 'y'],
  ],
  [['trailer', 'x']],
];

export class FrameSequences {
  readonly #chance: Chance;
  readonly #ours: Role;
  #nextStream = 1;

  constructor(chance: Chance, ours: Role) {
    this.#chance = chance;
    this.#ours = ours;
  }

  /** Everything that one peer sends. */
  draw(): Buffer {
    const chance = this.#chance;
    const parts: Buffer[] = [];
    if (chance.holds(1 - 1 / 30)) {
      if (this.#ours === 'server') parts.push(PREFACE);
      parts.push(settings());
      if (chance.holds(1 - 1 / 5)) parts.push(SETTINGS_ACK);
    }
    const count = 1 + chance.below(25);
    for (let at = 0; at < count; at++) {
      const one = this.#valid();
      const repeats = chance.holds(1 / 40) ? 1 + chance.below(200) : 1;
      for (let time = 0; time < repeats; time++) parts.push(one);
      if (chance.holds(1 / 12)) parts[parts.length - 1] = this.#damaged(one);
      if (chance.holds(1 / 25)) parts.push(drawBytes(this.#chance, chance.below(60)));
    }
    return Buffer.concat(parts);
  }

  /** The same bytes in pieces. */
  cut(bytes: Buffer): Buffer[] {
    const pieces: Buffer[] = [];
    const most = this.#chance.of([1, 20, 1000, 100_000]);
    // Byte by byte is slow, and says little of long sequences.
    const step = bytes.length > 3000 ? Math.max(most, 100) : most;
    for (let at = 0; at < bytes.length; ) {
      const to = at + 1 + this.#chance.below(step);
      pieces.push(bytes.subarray(at, to));
      at = to;
    }
    return pieces;
  }

  #valid(): Buffer {
    const chance = this.#chance;
    const id = this.#stream();
    switch (chance.below(16)) {
      case 0:
      case 1:
        return this.#open();
      case 2:
      case 3:
      case 4:
        return data(
          id,
          drawBytes(this.#chance, chance.below(chance.holds(1 / 10) ? 9000 : 80)),
          chance.holds(1 / 6) ? FLAG.END_STREAM : 0,
        );
      case 5:
        return this.#padded(id);
      case 6:
        return frame(FRAME.RST_STREAM, 0, id, u32(chance.below(16)));
      case 7:
      case 8:
        return frame(FRAME.WINDOW_UPDATE, 0, chance.holds(1 / 2) ? 0 : id, u32(this.#number()));
      case 9:
        return settings({ INITIAL_WINDOW_SIZE: this.#number(), MAX_CONCURRENT_STREAMS: chance.below(20) });
      case 10:
        return settings({
          HEADER_TABLE_SIZE: this.#number(),
          MAX_FRAME_SIZE: chance.holds(1 / 9) ? this.#number() : 20_000,
        });
      case 11:
        return frame(FRAME.PING, chance.below(2), 0, drawBytes(this.#chance, 8));
      case 12:
        return chance.holds(1 / 6)
          ? frame(FRAME.GOAWAY, 0, 0, u32(chance.of([0, 1, 5, 2 ** 31 - 1]), 0))
          : SETTINGS_ACK;
      case 13:
        return frame(chance.of([FRAME.PRIORITY, 10, 77, 255]), chance.below(256), id, Buffer.alloc(5));
      default:
        return headers(id, chance.of(HEADS), FLAG.END_HEADERS | (chance.holds(1 / 5) ? FLAG.END_STREAM : 0));
    }
  }

  /** A stream that exists, mostly. */
  #stream(): number {
    if (this.#chance.holds(1 / 15)) return this.#chance.below(20);
    return 1 + 2 * this.#chance.below(Math.max(1, (this.#nextStream - 1) / 2));
  }

  #open(): Buffer {
    const chance = this.#chance;
    const id = this.#nextStream;
    this.#nextStream += 2;
    const head = this.#ours === 'server' ? HEADS[chance.below(2)]! : HEADS[4]!;
    const block = new HpackEncoder().encode(head);
    if (chance.holds(1 - 1 / 4)) return headers(id, head);
    const cut = chance.below(block.length);
    return Buffer.concat([
      frame(FRAME.HEADERS, 0, id, block.subarray(0, cut)),
      frame(FRAME.CONTINUATION, FLAG.END_HEADERS, id, block.subarray(cut)),
    ]);
  }

  #padded(id: number): Buffer {
    const padding = this.#chance.below(20);
    const bytes = drawBytes(this.#chance, this.#chance.below(30));
    return frame(FRAME.DATA, FLAG.PADDED, id, Buffer.concat([Buffer.from([padding]), bytes, Buffer.alloc(padding)]));
  }

  #number(): number {
    return this.#chance.holds(1 / 3) ? this.#chance.of(INTERESTING) : this.#chance.below(100_000);
  }

  #damaged(whole: Buffer): Buffer {
    const chance = this.#chance;
    const bytes = Buffer.from(whole);
    if (chance.holds(1 / 4)) return bytes.subarray(0, chance.below(bytes.length));
    const flips = 1 + chance.below(3);
    for (let at = 0; at < flips; at++) bytes[chance.below(Math.min(bytes.length, 24))]! ^= 1 << chance.below(8);
    return bytes;
  }
}

function drawBytes(chance: Chance, count: number): Buffer {
  const bytes = Buffer.alloc(count);
  for (let at = 0; at < count; at++) bytes[at] = chance.below(256);
  return bytes;
}
