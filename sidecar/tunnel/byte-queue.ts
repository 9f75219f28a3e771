/**
 * Bytes in order that have to wait, in either direction of a stream. Small pieces are gathered in one piece of memory:
 * a thousand pieces of one byte must neither be a thousand objects nor keep a thousand larger buffers alive.
 */

/** Up to here a piece is copied: what is not copied keeps at most four times its size alive (TLS records of 16 KiB). */
const GATHERED = 4096;
const LEAST_STORE = 1024;
const MOST_STORE = 16_384;

export class ByteQueue {
  length = 0;
  readonly #pieces: Buffer[] = [];
  /** Holds the last small pieces, [#from, #to) of it; what is before was taken and is never written again. */
  #store: Buffer | undefined;
  #from = 0;
  #to = 0;

  /** @param lent the bytes have to be copied, whatever their size */
  push(bytes: Buffer, lent: boolean): void {
    this.length += bytes.length;
    if (bytes.length <= GATHERED) return void this.#gather(bytes);
    this.#closeStore();
    this.#pieces.push(lent ? Buffer.from(bytes) : bytes);
  }

  /** At most `most` bytes from the front, without copying. Call it only while there are bytes. */
  take(most: number): Buffer {
    if (this.#pieces.length === 0) this.#closeStore();
    const first = this.#pieces[0]!;
    this.length -= Math.min(first.length, most);
    if (first.length <= most) return this.#pieces.shift()!;
    this.#pieces[0] = first.subarray(most);
    return first.subarray(0, most);
  }

  #gather(bytes: Buffer): void {
    if (this.#store === undefined || this.#store.length - this.#to < bytes.length) {
      this.#closeStore();
      const wish = Math.max(LEAST_STORE, bytes.length, 2 * (this.#store?.length ?? 0));
      this.#store = Buffer.allocUnsafeSlow(Math.min(MOST_STORE, wish));
      this.#from = this.#to = 0;
    }
    this.#to += bytes.copy(this.#store, this.#to);
  }

  #closeStore(): void {
    if (this.#store === undefined || this.#from === this.#to) return;
    this.#pieces.push(this.#store.subarray(this.#from, this.#to));
    this.#from = this.#to;
  }
}
