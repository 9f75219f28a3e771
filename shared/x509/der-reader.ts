/**
 * A cursor over DER (X.690 §8, §10): definite lengths in their shortest form, low tag numbers, nothing
 * behind the end, bounded size and depth. It reads each byte once, copies nothing and never recurses, so hostile input
 * costs no more than its length. Whatever is wrong is a DerError, never a RangeError or TypeError.
 */

export class DerError extends Error {
  override readonly name = 'DerError';
}

/** Largest input. A certificate with post-quantum keys has about 8 KiB. */
const MOST_BYTES = 64 * 1024;
/** Certificates nest 7 deep. */
const MOST_DEPTH = 16;

/** Universal tags, with the bit for constructed ones. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Context-specific tag number `n` (0 to 30) around one encoded value or the content of an implicit primitive. */
export const primitiveTag = (n: number): number => 0x80 | n;
export const constructedTag = (n: number): number => 0xa0 | n;

export class DerReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  readonly #depth: number;
  #at: number;
  /** Where the content of the element that was entered last begins and ends. */
  #from = 0;
  #to = 0;

  /** @throws {DerError} when the input is larger than any certificate */
  constructor(bytes: Buffer, start = 0, end: number = bytes.length, depth = 0) {
    if (end - start > MOST_BYTES) throw new DerError('too large');
    if (depth > MOST_DEPTH) throw new DerError('nested too deep');
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#depth = depth;
  }

  get atEnd(): boolean {
    return this.#at === this.#end;
  }

  /** The next tag, or -1 at the end. */
  peek(): number {
    return this.#at < this.#end ? this.#bytes[this.#at]! : -1;
  }

  /** A reader of the content of the next element, which must have this tag. */
  enter(tag: number): DerReader {
    this.#step(tag);
    return new DerReader(this.#bytes, this.#from, this.#to, this.#depth + 1);
  }

  /** The content of the next element, which must have this tag. A view, not a copy. */
  content(tag: number): Buffer {
    this.#step(tag);
    return this.#bytes.subarray(this.#from, this.#to);
  }

  /** The next element whole, with tag and length. A view, not a copy. */
  element(tag: number = this.peek()): Buffer {
    const start = this.#at;
    this.#step(tag);
    return this.#bytes.subarray(start, this.#to);
  }

  skip(tag: number = this.peek()): void {
    this.#step(tag);
  }

  /** The content of the next element as a Latin-1 string: cheap, and every byte is one character. */
  latin1(tag: number): string {
    this.#step(tag);
    return this.#bytes.toString('latin1', this.#from, this.#to);
  }

  /** What is left, unread. A view, not a copy. */
  rest(): Buffer {
    return this.#bytes.subarray(this.#at, this.#end);
  }

  /** @throws {DerError} when anything is left */
  finish(): void {
    if (this.#at !== this.#end) throw new DerError('trailing bytes');
  }

  /** Reads one header (X.690 §8.1.2, §8.1.3, §10.1) and moves behind the element. */
  #step(tag: number): void {
    const bytes = this.#bytes;
    const at = this.#at;
    if (this.#end - at < 2) throw new DerError('truncated');
    const found = bytes[at]!;
    if ((found & 0x1f) === 0x1f) throw new DerError('high tag number');
    if (found !== tag) throw new DerError(`expected tag 0x${tag.toString(16)}, found 0x${found.toString(16)}`);
    let length = bytes[at + 1]!;
    let from = at + 2;
    if (length >= 0x80) {
      const octets = length & 0x7f;
      // 0 is the indefinite form; what needs 3 octets is more than MOST_BYTES.
      if (octets === 0 || octets > 2) throw new DerError('length not definite or too large');
      if (this.#end - from < octets) throw new DerError('truncated');
      length = 0;
      for (let i = 0; i < octets; i += 1) length = length * 256 + bytes[from + i]!;
      if (length < 0x80 || length < 256 ** (octets - 1)) throw new DerError('length not in its shortest form');
      from += octets;
    }
    if (length > this.#end - from) throw new DerError('truncated');
    this.#from = from;
    this.#to = from + length;
    this.#at = this.#to;
  }
}
