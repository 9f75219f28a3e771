/**
 * Writes DER: small pure functions that each return one encoded element. It writes what it is told and
 * knows nothing of certificates; names, extensions and signatures are composed by its callers.
 */
import { constructedTag, DerError, primitiveTag, TAG } from './der-reader.ts';
import { encodeOidContent } from './object-identifier.ts';

/** Tag, length and the parts as content. */
export function tlv(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  let length = 0;
  for (const part of parts) length += part.length;
  const header = headerOf(tag, length);
  const out = Buffer.allocUnsafe(header.length + length);
  out.set(header, 0);
  let at = header.length;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export const seq = (...parts: readonly Uint8Array[]): Buffer => tlv(TAG.sequence, ...parts);

/** SET OF: X.690 §11.6 orders the elements by their encoding. */
export const set = (...parts: readonly Uint8Array[]): Buffer => tlv(TAG.set, ...[...parts].sort(Buffer.compare));

export const oid = (dotted: string): Buffer => tlv(TAG.oid, encodeOidContent(dotted));
export const bool = (value: boolean): Buffer => tlv(TAG.boolean, Buffer.from([value ? 0xff : 0]));
export const nil = (): Buffer => tlv(TAG.null);
export const octets = (...parts: readonly Uint8Array[]): Buffer => tlv(TAG.octetString, ...parts);
export const utf8 = (text: string): Buffer => tlv(0x0c, Buffer.from(text, 'utf8'));

/** BIT STRING of whole bytes, or with `unused` bits at the end. */
export const bits = (bytes: Uint8Array, unused = 0): Buffer => tlv(TAG.bitString, Buffer.from([unused]), bytes);

/** BIT STRING with named bits: X.690 §11.2.2 drops trailing zero bits. */
export function namedBits(...set: readonly number[]): Buffer {
  const highest = Math.max(-1, ...set);
  const bytes = Buffer.alloc((highest + 8) >> 3);
  for (const bit of set) bytes[bit >> 3]! |= 0x80 >> (bit & 7);
  return bits(bytes, bytes.length * 8 - 1 - highest);
}

/** INTEGER from a number, or from the magnitude of a positive one (a serial, a modulus), in its shortest form. */
export function integer(value: number | bigint | Uint8Array): Buffer {
  if (value instanceof Uint8Array) return tlv(TAG.integer, ...positive(value));
  const wide = BigInt(value);
  if (wide < 0n) throw new DerError('negative integers are not written');
  const hex = wide.toString(16);
  return tlv(TAG.integer, ...positive(Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')));
}

/** Explicit or implicit constructed context tag. */
export const context = (n: number, ...parts: readonly Uint8Array[]): Buffer => tlv(constructedTag(n), ...parts);
/** Implicit primitive context tag, such as a GeneralName. */
export const contextPrimitive = (n: number, content: Uint8Array): Buffer => tlv(primitiveTag(n), content);

/** RFC 5280 §4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050; whole seconds. @param ms since the Unix epoch */
export function utcOrGeneralTime(ms: number): Buffer {
  const date = new Date(ms);
  const year = date.getUTCFullYear();
  if (!(year >= 1950 && year <= 9999)) throw new DerError('the time is not in the range of certificates');
  const text = `${date.toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`;
  return year < 2050 ? tlv(TAG.utcTime, Buffer.from(text.slice(2))) : tlv(TAG.generalizedTime, Buffer.from(text));
}

/** One extension of RFC 5280 §4.1: `critical` is left out when false, being the default (X.690 §11.5). */
export function extension(id: string, critical: boolean, value: Uint8Array): Buffer {
  return critical ? seq(oid(id), bool(true), octets(value)) : seq(oid(id), octets(value));
}

function headerOf(tag: number, length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(tag, length);
  if (length < 0x100) return Uint8Array.of(tag, 0x81, length);
  if (length < 0x10000) return Uint8Array.of(tag, 0x82, length >> 8, length & 0xff);
  throw new DerError('too large to write');
}

function positive(magnitude: Uint8Array): Uint8Array[] {
  let start = 0;
  while (start < magnitude.length - 1 && magnitude[start] === 0) start += 1;
  const shortest = magnitude.subarray(start);
  const lead = shortest[0] ?? 0;
  return shortest.length === 0 || lead >= 0x80 ? [Uint8Array.of(0), shortest] : [shortest];
}
