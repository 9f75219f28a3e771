/** A head as its writer lends it: whoever keeps it beyond the call is found out, because `spoil` overwrites all of them. */
import type { HeadBytes } from '../../sidecar/channel/channel.ts';

const lent: Buffer[] = [];

export function lentHead(latin1: string): HeadBytes {
  // As in life, there is more in the buffer than the head.
  const buffer = Buffer.from(`${latin1}#behind the head#`, 'latin1');
  lent.push(buffer);
  return { buffer, length: latin1.length };
}

export function spoil(): void {
  for (const buffer of lent.splice(0)) buffer.fill('?');
}
