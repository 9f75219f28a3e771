/**
 * Finds the end of a head in the bytes of a connection. A head that lies within one buffer, which is nearly every
 * one, is read where it lies; the pieces of any other are collected here. It reads nothing of a head but whether
 * what came so far can still become one, so that a caller who speaks something else is not waited for.
 */
import { CR, LF, TOKEN, VALUE } from './characters.ts';
import type { HeadLimits, RawHead } from './head.ts';
import { malformed, tooLarge } from './http1-error.ts';

export interface HeadReaderOptions {
  /** Read on the first line as soon as it is complete, without its CRLF, when the rest of the head is not there yet. */
  readonly checkStart?: (line: string) => void;
  /** One empty line before the start line is skipped (RFC 9112 §2.2), not refused. */
  readonly skipEmptyLine?: boolean;
}

const END = Buffer.from('\r\n\r\n', 'latin1');
const NOTHING = Buffer.alloc(0);

export class HeadReader implements RawHead {
  readonly #limits: HeadLimits;
  readonly #options: HeadReaderOptions;
  bytes: Buffer = NOTHING;
  from = 0;
  to = 0;
  /** Pieces of a head whose end has not come. */
  #held: Buffer = NOTHING;
  #heldBytes = 0;
  #text: string | undefined;
  #startChecked = false;
  #emptyLineBytes = 0;

  constructor(limits: HeadLimits, options: HeadReaderOptions = {}) {
    this.#limits = limits;
    this.#options = options;
  }

  /** Made when it is asked for: most answers are never asked. */
  get text(): string {
    this.#text ??= this.bytes.toString('latin1', this.from, this.to);
    return this.#text;
  }

  /** Whether a head has been begun and not ended: who is silent now is slow, not idle. */
  get isWithin(): boolean {
    return this.#heldBytes > 0 || this.#emptyLineBytes > 0;
  }

  /**
   * After it returned an index, `text` (and `bytes`, which may be the sender's) are those of the head until the next
   * call, which begins the next head. Of a head that is not whole, copies are kept.
   * @returns the index behind the head in `bytes`, or -1 when more is needed
   * @throws {Http1Error} when this can become no head within the limits
   */
  push(bytes: Buffer, from: number): number {
    const start = this.#options.skipEmptyLine ? this.#skipEmptyLine(bytes, from) : from;
    if (start === bytes.length) return -1;
    if (this.#heldBytes > 0) return this.#pushMore(bytes, start);
    const end = bytes.indexOf(END, start);
    if (end < 0) {
      this.#append(bytes, start, bytes.length);
      this.#checkHeld(0);
      return -1;
    }
    this.#take(bytes, start, end);
    return end + END.length;
  }

  #pushMore(bytes: Buffer, from: number): number {
    const before = this.#heldBytes;
    this.#append(bytes, from, bytes.length);
    const held = this.#held;
    const end = held.subarray(0, this.#heldBytes).indexOf(END, Math.max(0, before - END.length + 1));
    if (end < 0) {
      this.#checkHeld(before);
      return -1;
    }
    this.#heldBytes = 0;
    this.#startChecked = false;
    this.#take(held, 0, end);
    return from + end + END.length - before;
  }

  #take(bytes: Buffer, from: number, end: number): void {
    if (end + END.length - from > this.#limits.bytes) throw tooLarge('bytes of the head');
    this.#emptyLineBytes = 0;
    this.bytes = bytes;
    this.from = from;
    this.to = end + 2;
    this.#text = undefined;
  }

  /** Not more than a head may have: what is held without its end by then is too large. */
  #append(bytes: Buffer, from: number, end: number): void {
    const most = this.#limits.bytes;
    const to = Math.min(end, from + most - this.#heldBytes);
    const length = this.#heldBytes + (to - from);
    if (length > this.#held.length) {
      const larger = Buffer.allocUnsafe(Math.min(most, Math.max(length, 2 * this.#held.length, 512)));
      this.#held.copy(larger, 0, 0, this.#heldBytes);
      this.#held = larger;
    }
    bytes.copy(this.#held, this.#heldBytes, from, to);
    this.#heldBytes = length;
  }

  /** RFC 9112 §2.2: neither CR nor LF stands alone, and a reader that waited for more would be read differently. */
  #checkHeld(before: number): void {
    const held = this.#held;
    const length = this.#heldBytes;
    if (before === 0 && TOKEN[held[0]!] !== 1) throw malformed('first byte of a head');
    for (let at = before; at < length; at++) {
      const byte = held[at]!;
      if (byte === LF ? at === 0 || held[at - 1] !== CR : at > 0 && held[at - 1] === CR)
        throw malformed('CR or LF alone');
      if (VALUE[byte] !== 1 && byte !== CR && byte !== LF) throw malformed('control character');
    }
    if (length >= this.#limits.bytes) throw tooLarge('bytes of the head');
    if (!this.#startChecked && this.#options.checkStart) this.#checkStart(this.#options.checkStart);
  }

  #checkStart(check: (line: string) => void): void {
    const end = this.#held.subarray(0, this.#heldBytes).indexOf('\r\n', 0, 'latin1');
    if (end < 0) return;
    this.#startChecked = true;
    check(this.#held.toString('latin1', 0, end));
  }

  /** @returns where the head begins; the length of `bytes` when it has not begun */
  #skipEmptyLine(bytes: Buffer, from: number): number {
    if (this.#heldBytes > 0) return from;
    let at = from;
    if (this.#emptyLineBytes === 0 && bytes[at] === CR) {
      this.#emptyLineBytes = 1;
      at++;
    }
    if (this.#emptyLineBytes === 1 && at < bytes.length) {
      if (bytes[at] !== LF) throw malformed('CR or LF alone');
      this.#emptyLineBytes = 2;
      at++;
    }
    return at;
  }
}
