/**
 * What a socket has delivered while nobody wanted it, in its order: bytes, of which copies are kept, then the end.
 * TLS hands on what it has decrypted also when it was told to stop in between, and streams tell an end whenever it
 * comes. It is little: what one read of the system brings.
 */
import type { ChannelReceiver } from './channel.ts';

export class HeldReads {
  readonly #parts: Buffer[] = [];
  #hasEnd = false;

  hold(bytes: Buffer): void {
    this.#parts.push(Buffer.from(bytes));
  }

  holdEnd(): void {
    this.#hasEnd = true;
  }

  /** @param wants asked before each part @returns whether all of it was delivered */
  deliver(receiver: ChannelReceiver, wants: () => boolean): boolean {
    const parts = this.#parts;
    while (parts.length > 0) {
      if (!wants()) return false;
      const part = parts.shift()!;
      receiver.onBytes(part, parts.length > 0);
    }
    if (!this.#hasEnd) return true;
    if (!wants()) return false;
    receiver.onEnd();
    return true;
  }
}
