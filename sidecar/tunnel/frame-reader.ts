/**
 * Cuts the byte stream of a peer into frames (RFC 9113 §3.4, §4). DATA is passed on piece by piece as it comes, without
 * waiting for the whole frame; other frames are small and passed on whole. It knows no stream and answers nothing.
 */
import { H2, protocolFault, SessionFault } from './error-codes.ts';
import { checkShape, FLAG, FRAME, HEADER_BYTES, isKnownType, PREFACE } from './frame-format.ts';

export interface FrameSink {
  /** A DATA frame begins; `length` includes its padding. @returns whether its payload is wanted, else it is skipped */
  onDataHead(stream: number, flags: number, length: number): boolean;
  /** @param more bytes of this frame are still to come */
  onDataBytes(bytes: Buffer, more: boolean): void;
  /** A wanted DATA frame is over. */
  onDataEnd(flags: number): void;
  /** A whole frame of another known type. The bytes are valid during the call. */
  onFrame(type: number, flags: number, stream: number, bytes: Buffer, from: number, to: number): void;
  /** A frame of unknown type (RFC 9113 §5.5). */
  onUnknown(): void;
}

const IN_PREFACE = 0;
const IN_HEADER = 1;
const IN_PAD_LENGTH = 2;
const IN_DATA = 3;
const IN_SKIPPED = 4;
const IN_FRAME = 5;

export class FrameReader {
  readonly #sink: FrameSink;
  readonly #mostBytes: number;
  readonly #mostWholeBytes: number;
  #state: number;
  #isStopped = false;
  #isFirst = true;
  /** Stream of the header block that is not complete: nothing but its CONTINUATION may come (RFC 9113 §4.3). */
  #blockOf = 0;

  #type = 0;
  #flags = 0;
  #stream = 0;
  /** Bytes of the payload that are still to come, without padding in IN_DATA. */
  #left = 0;
  #padding = 0;
  /** What is skipped belongs to a DATA frame whose end has to be told. */
  #tellsEnd = false;

  /** Gathers a header or a small frame that came in pieces. */
  readonly #headerParts = Buffer.allocUnsafe(HEADER_BYTES);
  #frameParts: Buffer | undefined;
  #gathered = 0;

  /**
   * @param expectsPreface a server reads the client's preface first
   * @param mostWholeBytes of a frame that is not DATA: so much may have to be gathered
   */
  constructor(sink: FrameSink, mostBytes: number, expectsPreface: boolean, mostWholeBytes = mostBytes) {
    this.#sink = sink;
    this.#mostBytes = mostBytes;
    this.#mostWholeBytes = mostWholeBytes;
    this.#state = expectsPreface ? IN_PREFACE : IN_HEADER;
  }

  /** The frames before SETTINGS have come. */
  get hasBegun(): boolean {
    return !this.#isFirst;
  }

  /** Nothing is read any more, also of the bytes that are being pushed. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Throws SessionFault, also those of the sink. */
  push(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length && !this.#isStopped) {
      switch (this.#state) {
        case IN_HEADER:
          at = this.#header(bytes, at);
          break;
        case IN_DATA:
          at = this.#data(bytes, at);
          break;
        case IN_FRAME:
          at = this.#frame(bytes, at);
          break;
        case IN_SKIPPED:
          at = this.#skip(bytes, at);
          break;
        case IN_PAD_LENGTH:
          this.#padLength(bytes[at++]!);
          break;
        default:
          at = this.#preface(bytes, at);
      }
    }
  }

  #preface(bytes: Buffer, at: number): number {
    const take = Math.min(PREFACE.length - this.#gathered, bytes.length - at);
    const differs = PREFACE.compare(bytes, at, at + take, this.#gathered, this.#gathered + take) !== 0;
    if (differs) throw protocolFault('no HTTP/2 preface');
    this.#gathered += take;
    if (this.#gathered === PREFACE.length) {
      this.#gathered = 0;
      this.#state = IN_HEADER;
    }
    return at + take;
  }

  #header(bytes: Buffer, at: number): number {
    if (this.#gathered === 0 && bytes.length - at >= HEADER_BYTES) {
      this.#begin(bytes, at);
      return at + HEADER_BYTES;
    }
    const take = Math.min(HEADER_BYTES - this.#gathered, bytes.length - at);
    bytes.copy(this.#headerParts, this.#gathered, at, at + take);
    this.#gathered += take;
    if (this.#gathered === HEADER_BYTES) {
      this.#gathered = 0;
      this.#begin(this.#headerParts, 0);
    }
    return at + take;
  }

  /** RFC 9113 §4.1. */
  #begin(header: Buffer, at: number): void {
    const length = (header[at]! << 16) | (header[at + 1]! << 8) | header[at + 2]!;
    const type = header[at + 3]!;
    const flags = header[at + 4]!;
    // The reserved bit is ignored.
    const stream =
      ((header[at + 5]! & 0x7f) << 24) | (header[at + 6]! << 16) | (header[at + 7]! << 8) | header[at + 8]!;
    this.#type = type;
    this.#flags = flags;
    this.#stream = stream;
    this.#left = length;
    // RFC 9113 §4.2: not larger than the SETTINGS_MAX_FRAME_SIZE that we announced.
    if (length > this.#mostBytes) throw new SessionFault(H2.FRAME_SIZE_ERROR, `a frame of ${length} bytes`);
    if (type === FRAME.DATA && this.#blockOf === 0 && !this.#isFirst) return void this.#beginData();
    this.#checkOrder();
    if (length > this.#mostWholeBytes) throw new SessionFault(H2.ENHANCE_YOUR_CALM, `a frame of ${length} bytes`);
    checkShape(type, flags, stream, length);
    if (!isKnownType(type)) {
      this.#sink.onUnknown();
      this.#skipNext(length);
    } else if (length === 0) {
      this.#pass(header, 0);
    } else {
      this.#state = IN_FRAME;
    }
  }

  #checkOrder(): void {
    // RFC 9113 §3.4: both sides begin with SETTINGS.
    if (this.#isFirst && (this.#type !== FRAME.SETTINGS || (this.#flags & FLAG.ACK) !== 0)) {
      throw protocolFault('the first frame is not SETTINGS');
    }
    this.#isFirst = false;
    // RFC 9113 §6.10: a header block is contiguous, and CONTINUATION stands nowhere else.
    const continues = this.#type === FRAME.CONTINUATION;
    if (continues !== (this.#blockOf !== 0) || (continues && this.#stream !== this.#blockOf)) {
      throw protocolFault('a header block that is not contiguous');
    }
    if (continues || this.#type === FRAME.HEADERS || this.#type === FRAME.PUSH_PROMISE) {
      this.#blockOf = (this.#flags & FLAG.END_HEADERS) === 0 ? this.#stream : 0;
    }
  }

  #beginData(): void {
    // What can be wrong with its shape, asked at once: most frames are DATA.
    if (this.#stream === 0 || this.#left === 0) checkShape(FRAME.DATA, this.#flags, this.#stream, this.#left);
    const isWanted = this.#sink.onDataHead(this.#stream, this.#flags, this.#left);
    if (!isWanted) return void this.#skipNext(this.#left);
    if (this.#left === 0) {
      this.#state = IN_HEADER;
      this.#sink.onDataEnd(this.#flags);
    } else {
      this.#state = (this.#flags & FLAG.PADDED) === 0 ? IN_DATA : IN_PAD_LENGTH;
    }
  }

  /** RFC 9113 §6.1: padding as long as the rest of the frame, or longer, is an error. */
  #padLength(padding: number): void {
    if (padding >= this.#left) throw protocolFault('padding longer than its frame');
    this.#left -= 1 + padding;
    this.#padding = padding;
    if (this.#left > 0) this.#state = IN_DATA;
    else this.#endData();
  }

  #data(bytes: Buffer, at: number): number {
    const take = Math.min(this.#left, bytes.length - at);
    this.#left -= take;
    this.#sink.onDataBytes(take === bytes.length ? bytes : bytes.subarray(at, at + take), this.#left > 0);
    if (this.#left === 0) this.#endData();
    return at + take;
  }

  #endData(): void {
    if (this.#padding > 0) {
      this.#skipNext(this.#padding);
      this.#padding = 0;
      this.#tellsEnd = true;
      return;
    }
    this.#state = IN_HEADER;
    this.#sink.onDataEnd(this.#flags);
  }

  #skipNext(length: number): void {
    this.#left = length;
    this.#state = length > 0 ? IN_SKIPPED : IN_HEADER;
  }

  #skip(bytes: Buffer, at: number): number {
    const take = Math.min(this.#left, bytes.length - at);
    this.#left -= take;
    if (this.#left > 0) return at + take;
    this.#state = IN_HEADER;
    if (this.#tellsEnd) {
      this.#tellsEnd = false;
      this.#sink.onDataEnd(this.#flags);
    }
    return at + take;
  }

  #frame(bytes: Buffer, at: number): number {
    const length = this.#left;
    if (this.#gathered === 0 && bytes.length - at >= length) {
      this.#pass(bytes, at);
      return at + length;
    }
    this.#frameParts ??= Buffer.allocUnsafe(length);
    const take = Math.min(length - this.#gathered, bytes.length - at);
    bytes.copy(this.#frameParts, this.#gathered, at, at + take);
    this.#gathered += take;
    if (this.#gathered === length) {
      const whole = this.#frameParts;
      this.#frameParts = undefined;
      this.#gathered = 0;
      this.#pass(whole, 0);
    }
    return at + take;
  }

  #pass(bytes: Buffer, at: number): void {
    this.#state = IN_HEADER;
    this.#sink.onFrame(this.#type, this.#flags, this.#stream, bytes, at, at + this.#left);
  }
}
