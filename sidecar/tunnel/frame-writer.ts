/** Writes frames (RFC 9113 §6) into the output of a session. It keeps no account: whoever writes has checked windows. */
import type { HeadBytes } from '../channel/channel.ts';
import { FLAG, FRAME, HEADER_BYTES, PREFACE } from './frame-format.ts';
import type { Output } from './output.ts';

const NO_BYTES = Buffer.alloc(0);

export class FrameWriter {
  readonly #output: Output;

  constructor(output: Output) {
    this.#output = output;
  }

  preface(): void {
    const at = this.#output.reserve(PREFACE.length);
    PREFACE.copy(this.#output.slab, at);
  }

  /** The buffer is the caller's again after this. */
  data(stream: number, bytes: Buffer): void {
    const output = this.#output;
    const size = bytes.length;
    const at = output.reserve(HEADER_BYTES + size);
    putHeader(output.slab, at, size, FRAME.DATA, 0, stream);
    bytes.copy(output.slab, at + HEADER_BYTES);
    output.commit();
  }

  /** One DATA frame of a head and the bytes [from, to) behind it. */
  dataOf(stream: number, head: HeadBytes, bytes: Buffer, from: number, to: number): void {
    const output = this.#output;
    const size = head.length + to - from;
    const at = output.reserve(HEADER_BYTES + size);
    const { slab } = output;
    putHeader(slab, at, size, FRAME.DATA, 0, stream);
    head.buffer.copy(slab, at + HEADER_BYTES, 0, head.length);
    if (to > from) bytes.copy(slab, at + HEADER_BYTES + head.length, from, to);
    output.commit();
  }

  /** RFC 9113 §6.9.1: a frame without bytes needs no window. */
  endStream(stream: number): void {
    this.#frame(FRAME.DATA, FLAG.END_STREAM, stream, 0);
  }

  /** A header block, cut to frames that the peer accepts (RFC 9113 §4.3, §6.2, §6.10). */
  headers(stream: number, block: Buffer, ends: boolean, frameBytes: number): void {
    let type: number = FRAME.HEADERS;
    let from = 0;
    do {
      const to = Math.min(block.length, from + frameBytes);
      const ending = to === block.length ? FLAG.END_HEADERS : 0;
      const flags = type === FRAME.HEADERS && ends ? FLAG.END_STREAM | ending : ending;
      const at = this.#frame(type, flags, stream, to - from);
      block.copy(this.#output.slab, at, from, to);
      type = FRAME.CONTINUATION;
      from = to;
    } while (from < block.length);
  }

  settings(entries: readonly (readonly [id: number, value: number])[]): void {
    let at = this.#frame(FRAME.SETTINGS, 0, 0, entries.length * 6);
    for (const [id, value] of entries) {
      at = this.#output.slab.writeUInt16BE(id, at);
      at = this.#output.slab.writeUInt32BE(value, at);
    }
  }

  settingsAck(): void {
    this.#frame(FRAME.SETTINGS, FLAG.ACK, 0, 0);
  }

  /** @param payload eight bytes at `from` */
  ping(payload: Buffer, from: number, isAck: boolean): void {
    const at = this.#frame(FRAME.PING, isAck ? FLAG.ACK : 0, 0, 8);
    payload.copy(this.#output.slab, at, from, from + 8);
  }

  windowUpdate(stream: number, increment: number): void {
    const at = this.#frame(FRAME.WINDOW_UPDATE, 0, stream, 4);
    this.#output.slab.writeUInt32BE(increment, at);
  }

  resetStream(stream: number, code: number): void {
    const at = this.#frame(FRAME.RST_STREAM, 0, stream, 4);
    this.#output.slab.writeUInt32BE(code, at);
  }

  goAway(lastStream: number, code: number, why = ''): void {
    const debug = why === '' ? NO_BYTES : Buffer.from(why, 'latin1');
    const at = this.#frame(FRAME.GOAWAY, 0, 0, 8 + debug.length);
    this.#output.slab.writeUInt32BE(lastStream, at);
    this.#output.slab.writeUInt32BE(code, at + 4);
    debug.copy(this.#output.slab, at + 8);
  }

  /** @returns where the payload has to be filled in, at once */
  #frame(type: number, flags: number, stream: number, size: number): number {
    const at = this.#output.reserve(HEADER_BYTES + size);
    putHeader(this.#output.slab, at, size, type, flags, stream);
    this.#output.schedule();
    return at + HEADER_BYTES;
  }
}

/** RFC 9113 §4.1. */
function putHeader(slab: Buffer, at: number, size: number, type: number, flags: number, stream: number): void {
  slab[at] = size >>> 16;
  slab[at + 1] = size >>> 8;
  slab[at + 2] = size;
  slab[at + 3] = type;
  slab[at + 4] = flags;
  slab[at + 5] = stream >>> 24;
  slab[at + 6] = stream >>> 16;
  slab[at + 7] = stream >>> 8;
  slab[at + 8] = stream;
}
