/**
 * A head as it goes on: its start line and the field lines that are not left out, as places in the bytes that came.
 * Nothing of it becomes text on the way, which cost a tenth of a small request. Valid only while the bytes of the head
 * are.
 */
import type { RawHead } from './head.ts';

export class KeptHead {
  readonly #bytes: Buffer;
  readonly #from: number;
  readonly #fieldsFrom: number;
  readonly #to: number;
  readonly #gaps: readonly number[];

  /**
   * @param fieldsFrom where the first field line begins
   * @param gaps what is left out, in order: where each begins and ends
   */
  constructor({ bytes, from, to }: RawHead, fieldsFrom: number, gaps: readonly number[]) {
    this.#bytes = bytes;
    this.#from = from;
    this.#fieldsFrom = fieldsFrom;
    this.#to = to;
    this.#gaps = gaps;
  }

  /** No more than these are ever copied. */
  get mostBytes(): number {
    return this.#to - this.#from;
  }

  /** Without its CRLF. */
  get startLine(): string {
    return this.#bytes.toString('latin1', this.#from, this.#fieldsFrom - 2);
  }

  /** The field lines as text, for what is rare: each with its CRLF, untouched and in order. */
  get fields(): string {
    const copy = Buffer.allocUnsafe(this.mostBytes);
    return copy.toString('latin1', 0, this.copyFields(copy, 0));
  }

  /** Start line and field lines, each with its CRLF. @returns the index behind them in `target` */
  copyWhole(target: Buffer, at: number): number {
    return this.#copy(this.#from, target, at);
  }

  /** The field lines alone. @returns the index behind them in `target` */
  copyFields(target: Buffer, at: number): number {
    return this.#copy(this.#fieldsFrom, target, at);
  }

  #copy(start: number, target: Buffer, at: number): number {
    const gaps = this.#gaps;
    let from = start;
    let end = at;
    for (let gap = 0; gap < gaps.length; gap += 2) {
      end += this.#bytes.copy(target, end, from, gaps[gap]);
      from = gaps[gap + 1]!;
    }
    return end + this.#bytes.copy(target, end, from, this.#to);
  }
}
