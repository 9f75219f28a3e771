/**
 * Encodes the few headers of a tunnel (RFC 7541): names from the static table, values as literals that are never put
 * into a table, so that nothing of one caller can be guessed by another, and the peer keeps nothing for us.
 */
import { type Field, STATIC_TABLE } from './hpack-tables.ts';

const NAMES = new Map<string, number>();
const WHOLE = new Map<string, number>();
STATIC_TABLE.forEach(([name, value], at) => {
  if (!NAMES.has(name)) NAMES.set(name, at + 1);
  if (value !== '') WHOLE.set(`${name}\n${value}`, at + 1);
});

export class HpackEncoder {
  /** RFC 7541 §4.2: a changed maximum is acknowledged at the beginning of the next block. Ours is always 0. */
  #mustSayEmpty = true;

  /** After every SETTINGS_HEADER_TABLE_SIZE of the peer. */
  tableSizeChanged(): void {
    this.#mustSayEmpty = true;
  }

  /** @param fields names in lower case, values in latin1 */
  encode(fields: readonly Field[]): Buffer {
    const block: number[] = [];
    if (this.#mustSayEmpty) block.push(0x20);
    this.#mustSayEmpty = false;
    for (const [name, value] of fields) {
      const whole = WHOLE.get(`${name}\n${value}`);
      if (whole !== undefined) {
        pushInteger(block, 0x80, 7, whole);
        continue;
      }
      const known = NAMES.get(name) ?? 0;
      pushInteger(block, 0x00, 4, known);
      if (known === 0) pushString(block, name);
      pushString(block, value);
    }
    return Buffer.from(block);
  }
}

/** RFC 7541 §5.1. */
function pushInteger(block: number[], first: number, bits: number, value: number): void {
  const most = (1 << bits) - 1;
  if (value < most) {
    block.push(first | value);
    return;
  }
  block.push(first | most);
  let rest = value - most;
  for (; rest > 0x7f; rest >>>= 7) block.push((rest & 0x7f) | 0x80);
  block.push(rest);
}

/** RFC 7541 §5.2, without Huffman. */
function pushString(block: number[], text: string): void {
  pushInteger(block, 0x00, 7, text.length);
  for (let at = 0; at < text.length; at++) block.push(text.charCodeAt(at) & 0xff);
}
