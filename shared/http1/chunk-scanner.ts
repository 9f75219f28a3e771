/**
 * Finds the end of a chunked body (RFC 9112 §7.1) in bytes that pass by in any pieces, and refuses what two readers
 * could cut differently. It keeps nothing of the body; only trailers are held until they have been checked.
 */
import { CR, isDigit, LF, LOWER } from './characters.ts';
import { EXTENSION_START, type ExtensionState, nextExtensionState } from './chunk-extension.ts';
import { type FieldNames, NO_NAMES } from './field-names.ts';
import { HeadReader } from './head-reader.ts';
import { malformed, tooLarge } from './http1-error.ts';
import { checkTrailers } from './trailer-section.ts';

export interface ChunkLimits {
  /** Of all chunk extensions of one body. */
  readonly extensionBytes: number;
  /** Of the trailer section, its final empty line included. */
  readonly trailerBytes: number;
  /** Trailer field lines. */
  readonly trailerFields: number;
}

export interface ChunkScannerOptions {
  /** Names that no trailer may have, as the `strip` of a head. */
  readonly forbidden?: FieldNames;
  /** Is told where the data lies, without the framing: for a reader that cannot take chunks. */
  readonly onData?: (bytes: Buffer, from: number, to: number) => void;
}

/** 256 TiB: far from where numbers stop to be exact, and no body of one chunk. */
export const MOST_CHUNK_BYTES = 2 ** 48;
/** RFC 9112 §7.1: leading zeros are no fault, but a line of zeros has no end. */
const MOST_SIZE_DIGITS = 16;
const SEMICOLON = 0x3b;

type State =
  | 'size'
  | 'extension'
  | 'size-lf'
  | 'data'
  | 'data-cr'
  | 'data-lf'
  | 'trailer-start'
  | 'trailers'
  | 'last-lf'
  | 'done';

export class ChunkScanner {
  readonly #limits: ChunkLimits;
  readonly #forbidden: FieldNames;
  readonly #onData: ChunkScannerOptions['onData'];
  #state: State = 'size';
  #digits = 0;
  /** Of the chunk's size: as far as it is read, then what is left of its data. */
  #left = 0;
  #extension: ExtensionState = EXTENSION_START;
  #extensionBytes = 0;
  #trailerReader: HeadReader | undefined;
  #trailers = '';

  constructor(limits: ChunkLimits, { forbidden = NO_NAMES, onData }: ChunkScannerOptions = {}) {
    this.#limits = limits;
    this.#forbidden = forbidden;
    this.#onData = onData;
  }

  /** The end of the body was seen. */
  get isDone(): boolean {
    return this.#state === 'done';
  }

  /** Trailer field lines, each with its CRLF, when it is done. */
  get trailers(): string {
    return this.#trailers;
  }

  /**
   * @returns how many of the bytes from `from` on belong to this body: all there are, unless it is done
   * @throws {Http1Error} and is of no use any more then
   */
  scan(bytes: Buffer, from: number): number {
    const to = bytes.length;
    let at = from;
    while (at < to && this.#state !== 'done') {
      if (this.#state === 'data') at = this.#passData(bytes, at);
      else if (this.#state === 'trailers') at = this.#readTrailers(bytes, at);
      else this.#step(bytes[at++]!);
    }
    return at - from;
  }

  /** Everything of the framing but trailers. */
  #step(byte: number): void {
    switch (this.#state) {
      case 'size':
        this.#readSize(byte);
        break;
      case 'extension':
        this.#readExtension(byte);
        break;
      case 'size-lf':
        expectByte(byte, LF, 'chunk size line');
        this.#digits = 0;
        this.#state = this.#left === 0 ? 'trailer-start' : 'data';
        break;
      case 'data-cr':
        expectByte(byte, CR, 'end of a chunk');
        this.#state = 'data-lf';
        break;
      case 'data-lf':
        expectByte(byte, LF, 'end of a chunk');
        this.#state = 'size';
        break;
      case 'trailer-start':
        this.#startTrailers(byte);
        break;
      case 'last-lf':
        expectByte(byte, LF, 'end of a chunked body');
        this.#state = 'done';
        break;
    }
  }

  /** RFC 9112 §7.1: hexadecimal digits alone; no sign, no `0x`, no whitespace around them. */
  #readSize(byte: number): void {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      this.#left = this.#left * 16 + digit;
      if (++this.#digits > MOST_SIZE_DIGITS || this.#left > MOST_CHUNK_BYTES) throw malformed('chunk size');
    } else if (this.#digits > 0 && byte === CR) this.#state = 'size-lf';
    else if (this.#digits > 0 && byte === SEMICOLON) {
      this.#extension = EXTENSION_START;
      this.#state = 'extension';
    } else throw malformed('chunk size');
  }

  #readExtension(byte: number): void {
    // RFC 9112 §7.1.1: bounded, because nobody needs them and each chunk of one byte could carry many.
    if (++this.#extensionBytes > this.#limits.extensionBytes) throw tooLarge('chunk extensions');
    const next = nextExtensionState(this.#extension, byte);
    if (next === undefined) this.#state = 'size-lf';
    else this.#extension = next;
  }

  #passData(bytes: Buffer, from: number): number {
    const length = Math.min(this.#left, bytes.length - from);
    this.#onData?.(bytes, from, from + length);
    this.#left -= length;
    if (this.#left === 0) this.#state = 'data-cr';
    return from + length;
  }

  #startTrailers(byte: number): void {
    if (byte === CR) {
      this.#state = 'last-lf';
      return;
    }
    const { trailerBytes, trailerFields } = this.#limits;
    this.#trailerReader = new HeadReader({ bytes: trailerBytes, fields: trailerFields });
    this.#trailerReader.push(Buffer.of(byte), 0);
    this.#state = 'trailers';
  }

  #readTrailers(bytes: Buffer, from: number): number {
    const reader = this.#trailerReader!;
    const end = reader.push(bytes, from);
    if (end < 0) return bytes.length;
    checkTrailers(reader, this.#limits.trailerFields, this.#forbidden);
    this.#trailers = reader.text;
    this.#state = 'done';
    return end;
  }
}

function hexDigit(byte: number): number {
  if (isDigit(byte)) return byte - 0x30;
  const letter = byte | LOWER;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

function expectByte(byte: number, expected: number, where: string): void {
  if (byte !== expected) throw malformed(where);
}
