/**
 * Names of fields compared where they lie in the bytes, without making strings of them. `_` counts as `-`, because
 * CGI and its heirs (WSGI, Rack, PHP) read `X_A` as `X-A`.
 */
import { LOWER } from './characters.ts';

/** `_` in lower case, as `byte | LOWER` has it. */
const UNDERSCORE = 0x5f | LOWER;
const HYPHEN = 0x2d;

/** Lower case; `*` at the end stands for every name that begins so. */
interface Pattern {
  readonly bytes: Uint8Array;
  readonly isPrefix: boolean;
}

/** A set of names, arranged by their first letter. */
export class FieldNames {
  readonly #byFirst: readonly (readonly Pattern[] | undefined)[];

  /** @param names lower case, with `-` for `_`; a final `*` stands for every name that begins so */
  constructor(names: Iterable<string>) {
    const byFirst: Pattern[][] = [];
    for (const name of names) {
      const isPrefix = name.endsWith('*');
      const bytes = Buffer.from(isPrefix ? name.slice(0, -1) : name, 'latin1');
      const first = bytes[0];
      if (first === undefined) throw new RangeError('an empty field name');
      byFirst[first] ??= [];
      byFirst[first].push({ bytes, isPrefix });
    }
    this.#byFirst = Array.from({ length: 256 }, (_, first) => byFirst[first]);
  }

  /** @param length of the name that begins at `from`; at least 1 */
  has(bytes: Uint8Array, from: number, length: number): boolean {
    const patterns = this.#byFirst[bytes[from]! | LOWER];
    if (patterns === undefined) return false;
    for (const pattern of patterns) {
      const wanted = pattern.bytes.length;
      if (pattern.isPrefix ? length < wanted : length !== wanted) continue;
      if (spells(bytes, from, pattern.bytes)) return true;
    }
    return false;
  }
}

export const NO_NAMES = new FieldNames([]);

/** Whether the bytes from `from` are those of `name`, in any letter case and with `_` for `-`. */
export function spells(bytes: Uint8Array, from: number, name: Uint8Array): boolean {
  for (let at = 0; at < name.length; at++) {
    const byte = bytes[from + at]! | LOWER;
    if ((byte === UNDERSCORE ? HYPHEN : byte) !== name[at]) return false;
  }
  return true;
}

/** Whether they are exactly those of `name`, but for the letter case. `name` consists of bytes that `LOWER` leaves as they are: lower case letters, digits, `-`, `/`. */
export function isWord(bytes: Uint8Array, from: number, length: number, name: Uint8Array): boolean {
  if (length !== name.length) return false;
  for (let at = 0; at < length; at++) if ((bytes[from + at]! | LOWER) !== name[at]) return false;
  return true;
}
