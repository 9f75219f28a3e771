/**
 * Decodes Huffman strings of HPACK (RFC 7541 §5.2, Appendix B). The code is canonical: the length of each symbol's
 * code is all that defines it. It never encodes: our few headers are short, and sent once per stream.
 */
import { hpackFault } from './hpack-fault.ts';

/** Bits of the code of each octet, 16 a line, and of EOS. */
const LENGTHS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26, 30,
];
const EOS = 256;
const SHORTEST = 5;
const LONGEST = 30;

/** A binary tree: node n goes on at NEXT[2n] for a 0 and NEXT[2n + 1] for a 1. Negative: the symbol ~n. */
const NEXT = treeOf(LENGTHS);

/** @param most octets that the text may have; more is a header list that is too large */
export function decodeHuffman(bytes: Buffer, from: number, to: number, most: number): string {
  // The shortest code has 5 bits, so no text is longer than 8/5 of its code.
  const text = Buffer.allocUnsafe(Math.ceil(((to - from) * 8) / SHORTEST));
  let length = 0;
  let node = 0;
  let pending = 0;
  let onlyOnes = true;
  for (let at = from; at < to; at++) {
    for (let bit = 7; bit >= 0; bit--) {
      const one = (bytes[at]! >> bit) & 1;
      const next = NEXT[2 * node + one]!;
      pending++;
      onlyOnes &&= one === 1;
      if (next >= 0) {
        node = next;
        continue;
      }
      // RFC 7541 §5.2: a string that contains EOS is an error.
      if (next === ~EOS) throw hpackFault('EOS inside a string');
      text[length++] = ~next;
      node = pending = 0;
      onlyOnes = true;
    }
  }
  // RFC 7541 §5.2: padding is the beginning of EOS, all ones, and shorter than an octet.
  if (pending > 7 || !onlyOnes) throw hpackFault('padding of a string');
  if (length > most) throw hpackFault('a string that is too long');
  return text.toString('latin1', 0, length);
}

/** Canonical: codes of one length are consecutive numbers in the order of their symbols, shorter ones come first. */
function treeOf(lengths: readonly number[]): Int16Array {
  const tree = new Int16Array(2 * lengths.length);
  let nodes = 1;
  let code = 0;
  for (let length = SHORTEST; length <= LONGEST; length++) {
    for (let symbol = 0; symbol < lengths.length; symbol++) {
      if (lengths[symbol] !== length) continue;
      let node = 0;
      for (let bit = length - 1; bit > 0; bit--) {
        const edge = 2 * node + ((code >>> bit) & 1);
        if (tree[edge] === 0) tree[edge] = nodes++;
        node = tree[edge]!;
      }
      tree[2 * node + (code & 1)] = ~symbol;
      code++;
    }
    code *= 2;
  }
  return tree;
}
