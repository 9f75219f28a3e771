/**
 * Memory for what is copied only to be written. A slab is used again as soon as the system has taken what was in it,
 * which is nearly always before `write` returns; one that a slow socket still holds is left to it.
 */

export const SLAB_BYTES = 80 * 1024;

/** Kept for reuse by all sockets. */
const MOST_SPARE = 16;
const spare: Buffer[] = [];

export function takeSlab(): Buffer {
  return spare.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES);
}

/** Nobody may hold a part of it any more. */
export function giveSlabBack(slab: Buffer): void {
  if (spare.length < MOST_SPARE) spare.push(slab);
}
