/**
 * Reads one direction of an HTTP/2 connection as it passes: which frames, whose header lists, how much DATA. It keeps
 * the sender's header table as the receiver does. It answers nothing and keeps nothing of what it was lent.
 */
import { FLAG, FRAME, MOST_31_BITS, MOST_FRAME_BYTES } from '../tunnel/frame-format.ts';
import { FrameReader, type FrameSink } from '../tunnel/frame-reader.ts';
import { HeaderBlocks } from '../tunnel/header-blocks.ts';
import type { Field } from '../tunnel/hpack-tables.ts';
import type { H2CallLimits } from './h2-call-limits.ts';

export interface DirectionEvents {
  /** @returns whether the DATA of this stream is to be told; else it is passed over */
  follows(stream: number): boolean;
  onFields(stream: number, fields: readonly Field[], ends: boolean): void;
  /** Bytes of a followed stream, without padding, as they pass. */
  onData(stream: number, bytes: number): void;
  /** A followed stream ends in this direction with DATA. */
  onDataEnd(stream: number): void;
  onReset(stream: number): void;
  /** GOAWAY: the sender does not process streams of the other side above this one. */
  onGoAway(lastStream: number): void;
}

export class H2Direction implements FrameSink {
  readonly #events: DirectionEvents;
  readonly #reader: FrameReader;
  readonly #blocks: HeaderBlocks;
  /** Whose DATA is passing. */
  #dataOf = 0;
  /** The header block that is being gathered announces a push (RFC 9113 §8.4). */
  #isPromise = false;

  /** @param expectsPreface the client's direction */
  constructor(events: DirectionEvents, limits: H2CallLimits, expectsPreface: boolean) {
    this.#events = events;
    this.#blocks = new HeaderBlocks(limits);
    // The receiver may have allowed frames of any size (RFC 9113 §4.2): only what has to be gathered is bounded.
    this.#reader = new FrameReader(this, MOST_FRAME_BYTES, expectsPreface, limits.wholeFrameBytes);
  }

  /** It has been seen to speak HTTP/2. */
  get hasBegun(): boolean {
    return this.#reader.hasBegun;
  }

  /** Throws SessionFault for what is not HTTP/2 or goes past a limit; after that it must not be called again. */
  push(bytes: Buffer): void {
    this.#reader.push(bytes);
  }

  onDataHead(stream: number): boolean {
    this.#dataOf = stream;
    return this.#events.follows(stream);
  }

  onDataBytes(bytes: Buffer): void {
    this.#events.onData(this.#dataOf, bytes.length);
  }

  onDataEnd(flags: number): void {
    if ((flags & FLAG.END_STREAM) !== 0) this.#events.onDataEnd(this.#dataOf);
  }

  onUnknown(): void {}

  onFrame(type: number, flags: number, stream: number, bytes: Buffer, from: number, to: number): void {
    switch (type) {
      case FRAME.HEADERS:
      case FRAME.PUSH_PROMISE:
      case FRAME.CONTINUATION:
        return void this.#headers(type, flags, stream, bytes, from, to);
      case FRAME.RST_STREAM:
        return void this.#events.onReset(stream);
      case FRAME.GOAWAY:
        return void this.#events.onGoAway(bytes.readUInt32BE(from) & MOST_31_BITS);
      default:
      // Settings bind the two ends. The one that matters to a reader, the size of the table, takes effect by a size
      // update inside a header block (RFC 7541 §4.2), and is read there.
    }
  }

  #headers(type: number, flags: number, stream: number, bytes: Buffer, from: number, to: number): void {
    if (type !== FRAME.CONTINUATION) this.#isPromise = type === FRAME.PUSH_PROMISE;
    const block = this.#blocks.push(type, flags, bytes, from, to);
    // A promise counts for the table alone: what is pushed answers no call.
    if (block !== undefined && !this.#isPromise) this.#events.onFields(stream, block.fields, block.ends);
  }
}
