/**
 * Puts a head of HTTP/1.1 together in memory that is used again for the next one: pieces of the head that came, and
 * lines of our own between and behind them. What it holds stays until `begin`, so that a request can be said twice.
 */
import type { KeptHead } from '../../shared/http1/kept-head.ts';
import type { HeadBytes } from '../channel/channel.ts';

const USUAL_BYTES = 512;
/** After a larger head than this its memory is given back. */
const MOST_KEPT_BYTES = 4096;

export class HeadWriter implements HeadBytes {
  buffer: Buffer = NOTHING;
  length = 0;

  /** @returns itself, empty */
  begin(): this {
    this.length = 0;
    if (this.buffer.length > MOST_KEPT_BYTES) this.buffer = NOTHING;
    return this;
  }

  /** @param latin1 no character above U+00FF */
  text(latin1: string): this {
    const { length } = latin1;
    if (length === 0) return this;
    this.#reserve(length);
    this.buffer.write(latin1, this.length, length, 'latin1');
    this.length += length;
    return this;
  }

  /** Start line and fields. */
  whole(head: KeptHead): this {
    this.#reserve(head.mostBytes);
    this.length = head.copyWhole(this.buffer, this.length);
    return this;
  }

  fields(head: KeptHead): this {
    this.#reserve(head.mostBytes);
    this.length = head.copyFields(this.buffer, this.length);
    return this;
  }

  #reserve(bytes: number): void {
    const needed = this.length + bytes;
    if (needed <= this.buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.buffer.length, USUAL_BYTES));
    this.buffer.copy(larger, 0, 0, this.length);
    this.buffer = larger;
  }
}

const NOTHING = Buffer.alloc(0);
