/**
 * Object identifiers between their dotted text and their DER content (X.690 §8.19). What is not in its
 * one canonical encoding is refused, so that no two encodings name one object.
 */
import { DerError, type DerReader, TAG } from './der-reader.ts';
import { OID } from './oids.ts';

/** Longest content that is read. A UUID-based OID (2.25…) has 20 octets. */
const MOST_OCTETS = 64;

/** Latin-1 text of the content to dotted text, for those that we know. */
const KNOWN: ReadonlyMap<string, string> = new Map(
  Object.values(OID).map((dotted) => [encodeOidContent(dotted).toString('latin1'), dotted]),
);

/** The next element as dotted text. @throws {DerError} when it is no OID in canonical encoding */
export function readOid(reader: DerReader): string {
  const content = reader.latin1(TAG.oid);
  return KNOWN.get(content) ?? decodeContent(content);
}

/** Content octets (without tag and length) of a dotted OID from our own tables; not for input from outside. */
export function encodeOidContent(dotted: string): Buffer {
  const [first = 0n, second = 0n, ...rest] = dotted.split('.').map(BigInt);
  return Buffer.from([first * 40n + second, ...rest].flatMap(septets));
}

function septets(arc: bigint): number[] {
  const octets = [Number(arc & 0x7fn)];
  for (let left = arc >> 7n; left > 0n; left >>= 7n) octets.unshift(Number(left & 0x7fn) | 0x80);
  return octets;
}

function decodeContent(content: string): string {
  if (content.length === 0 || content.length > MOST_OCTETS) throw new DerError('OID empty or too long');
  const arcs: bigint[] = [];
  let arc = 0n;
  let inside = false;
  for (let i = 0; i < content.length; i += 1) {
    const octet = content.charCodeAt(i);
    if (!inside && octet === 0x80) throw new DerError('OID arc not in its shortest form');
    arc = (arc << 7n) | BigInt(octet & 0x7f);
    inside = octet >= 0x80;
    if (!inside) {
      arcs.push(arc);
      arc = 0n;
    }
  }
  if (inside) throw new DerError('OID truncated');
  const [head = 0n, ...rest] = arcs;
  // X.690 §8.19.4: the first octets hold 40 × first arc + second arc, and the first arc is 0, 1 or 2.
  const first = head < 80n ? head / 40n : 2n;
  return [first, head - first * 40n, ...rest].join('.');
}
