/**
 * Writes text to a descriptor to its last byte, as standard streams do. A pipe whose reader is slow takes a part, or
 * nothing for a while: then this thread waits for it. It never gives up a line that can still be written.
 */
import { writeSync } from 'node:fs';

export const STANDARD_ERROR = 2;

/** Milliseconds between two tries at a pipe that is full. */
const RETRY_MS = 5;
const NEVER = new Int32Array(new SharedArrayBuffer(4));

/** What nobody reads any more is lost without a word: there is no place left to say it. */
export function writeWhole(descriptor: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(descriptor, bytes, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EAGAIN' && code !== 'EINTR') return;
      Atomics.wait(NEVER, 0, 0, RETRY_MS);
    }
  }
}
