/** Damage to bytes, drawn from a seed so that the same damage comes again. It knows nothing of what the bytes mean. */
import { type KeyObject, sign } from 'node:crypto';
import { bits, oid, seq } from '../../shared/x509/der-writer.ts';
import { OID } from '../../shared/x509/oids.ts';

/** @returns a whole number from 0 up to, not including, `below` */
export type Draw = (below: number) => number;

/** mulberry32: small, good enough, and the same on every machine. */
export function draws(seed: number): Draw {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below) | 0;
  };
}

const KINDS: readonly ((bytes: Buffer, draw: Draw) => Buffer)[] = [
  function flipOneBit(bytes, draw) {
    bytes[draw(bytes.length)]! ^= 1 << draw(8);
    return bytes;
  },
  function setOneByte(bytes, draw) {
    bytes[draw(bytes.length)] = draw(256);
    return bytes;
  },
  function cutTheEnd(bytes, draw) {
    return bytes.subarray(0, draw(bytes.length));
  },
  function leaveOut(bytes, draw) {
    const at = draw(bytes.length);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + draw(8))]);
  },
  function repeat(bytes, draw) {
    const at = draw(bytes.length);
    const end = at + 1 + draw(16);
    return Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]);
  },
  function exchange(bytes, draw) {
    const [from, to] = [draw(bytes.length), draw(bytes.length)];
    bytes.copy(bytes, to, from, Math.min(bytes.length, from + 1 + draw(8)));
    return bytes;
  },
];

/** One to three pieces of damage; always another text than before. */
export function damaged(bytes: Buffer, draw: Draw): Buffer {
  for (;;) {
    let made = Buffer.from(bytes);
    for (let pieces = 1 + draw(3); pieces > 0 && made.length > 0; pieces--)
      made = Buffer.from(KINDS[draw(KINDS.length)]!(made, draw));
    if (!made.equals(bytes)) return made;
  }
}

/** A PKCS#10 request around `info`, whatever that is, signed by a P-256 key. */
export function resigned(info: Buffer, privateKey: KeyObject): Buffer {
  return seq(info, seq(oid(OID.ecdsaWithSha256)), bits(sign('sha256', info, privateKey)));
}
