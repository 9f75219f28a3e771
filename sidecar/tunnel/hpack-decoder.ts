/**
 * Decodes header blocks (RFC 7541): every representation, the dynamic table, Huffman. Whatever a block claims, it
 * makes at most one bounded header list; anything wrong ends the session, because the table is shared by all streams.
 */
import { H2, SessionFault } from './error-codes.ts';
import { hpackFault } from './hpack-fault.ts';
import { DynamicTable, type Field, sizeOfField } from './hpack-tables.ts';
import { decodeHuffman } from './huffman.ts';

/** RFC 9113 §6.5.2: the default of SETTINGS_HEADER_TABLE_SIZE, which a session leaves. */
const TABLE_BYTES = 4096;
/** Continuation octets of an integer (RFC 7541 §5.1): more than three are larger than any header list. */
const MOST_SHIFT = 21;
/** Instead of the last block, whose memory belongs to somebody else. */
const NO_BLOCK = Buffer.alloc(0);

export class HpackDecoder {
  readonly #table: DynamicTable;
  readonly #mostBytes: number;
  #block: Buffer = NO_BLOCK;
  #at = 0;

  /**
   * @param mostBytes of the decoded list, as RFC 9113 §6.5.2 counts
   * @param mostTableBytes to which a size update may raise the table
   */
  constructor(mostBytes: number, mostTableBytes = TABLE_BYTES) {
    this.#mostBytes = mostBytes;
    this.#table = new DynamicTable(TABLE_BYTES, mostTableBytes);
  }

  /** Bytes that the peer's entries take here. */
  get tableBytes(): number {
    return this.#table.size;
  }

  decode(block: Buffer): Field[] {
    this.#block = block;
    this.#at = 0;
    const fields: Field[] = [];
    let bytes = 0;
    while (this.#at < block.length) {
      const first = block[this.#at]!;
      // RFC 7541 §4.2, §6.3: size updates stand at the beginning of a block only.
      if ((first & 0xe0) === 0x20) {
        if (fields.length > 0) throw hpackFault('a size update between fields');
        this.#table.resize(this.#integer(5));
        continue;
      }
      const field = this.#field(first);
      bytes += sizeOfField(field);
      if (bytes > this.#mostBytes) throw new SessionFault(H2.ENHANCE_YOUR_CALM, 'a header list that is too large');
      fields.push(field);
    }
    this.#block = NO_BLOCK;
    return fields;
  }

  #field(first: number): Field {
    // RFC 7541 §6.1: 1xxxxxxx, both from a table.
    if ((first & 0x80) !== 0) return this.#table.at(this.#integer(7));
    // RFC 7541 §6.2.1: 01xxxxxx is added to the table; §6.2.2 and §6.2.3: 0000xxxx and 0001xxxx are not.
    const isIndexed = (first & 0x40) !== 0;
    const index = this.#integer(isIndexed ? 6 : 4);
    const name = index === 0 ? this.#string() : this.#table.at(index)[0];
    const field: Field = [name, this.#string()];
    if (isIndexed) this.#table.add(field);
    return field;
  }

  /** RFC 7541 §5.1: with a prefix of so many bits. */
  #integer(bits: number): number {
    const most = (1 << bits) - 1;
    let value = this.#octet() & most;
    if (value < most) return value;
    for (let shift = 0; shift <= MOST_SHIFT; shift += 7) {
      const octet = this.#octet();
      value += (octet & 0x7f) << shift;
      if (octet < 0x80) return value;
    }
    throw hpackFault('an integer that is too large');
  }

  /** RFC 7541 §5.2. */
  #string(): string {
    const isHuffman = this.#at < this.#block.length && (this.#block[this.#at]! & 0x80) !== 0;
    const length = this.#integer(7);
    const from = this.#at;
    this.#at += length;
    if (this.#at > this.#block.length) throw hpackFault('a string beyond the end');
    if (isHuffman) return decodeHuffman(this.#block, from, this.#at, this.#mostBytes);
    return this.#block.toString('latin1', from, this.#at);
  }

  #octet(): number {
    const octet = this.#block[this.#at++];
    if (octet === undefined) throw hpackFault('the block ends within a field');
    return octet;
  }
}
