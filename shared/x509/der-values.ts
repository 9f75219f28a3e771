/**
 * The primitive values of certificates, read strictly: booleans, small and large integers, bit strings and
 * times. Each has one encoding in DER; any other is refused.
 */
import { DerError, type DerReader, TAG } from './der-reader.ts';

/** BOOLEAN with DEFAULT FALSE: absent means false, and X.690 §11.5 forbids to write the default. */
export function readDefaultFalse(reader: DerReader): boolean {
  if (reader.peek() !== TAG.boolean) return false;
  // X.690 §11.1: TRUE is ff.
  if (reader.latin1(TAG.boolean) !== '\xff')
    throw new DerError('not the one encoding of TRUE where FALSE is the default');
  return true;
}

/** INTEGER from 0 to 2^31 - 1. */
export function readSmallInteger(reader: DerReader, tag: number = TAG.integer): number {
  const content = reader.content(tag);
  requireShortestInteger(content);
  if (content[0]! >= 0x80 || content.length > 4) throw new DerError('integer out of range');
  return content.readUIntBE(0, content.length);
}

/** Positive INTEGER of any size as its magnitude, without the sign octet. A view, not a copy. */
export function readPositiveInteger(reader: DerReader): Buffer {
  const content = reader.content(TAG.integer);
  requireShortestInteger(content);
  if (content[0]! >= 0x80) throw new DerError('negative integer');
  if (content[0] !== 0) return content;
  if (content.length === 1) throw new DerError('integer is zero');
  return content.subarray(1);
}

/** BIT STRING of whole octets: keys and signatures. A view, not a copy. */
export function readOctetBits(reader: DerReader): Buffer {
  const content = reader.content(TAG.bitString);
  if (content[0] !== 0) throw new DerError('bit string is not of whole octets');
  return content.subarray(1);
}

/** BIT STRING with named bits, the first 32 of them: bit 0 is the highest. At least one must be set. */
export function readNamedBits(reader: DerReader): number {
  const content = reader.content(TAG.bitString);
  const unused = content[0] ?? 8;
  if (content.length < 2 || content.length > 5 || unused > 7) throw new DerError('named bits empty or malformed');
  const last = content[content.length - 1]!;
  // X.690 §11.2.1, §11.2.2: unused bits are zero and the last used bit is set.
  if ((last & ((1 << unused) - 1)) !== 0 || (last & (1 << unused)) === 0) throw new DerError('named bits not in DER');
  return (content.readUIntBE(1, content.length - 1) << (8 * (5 - content.length))) >>> 0;
}

/**
 * Time of RFC 5280 §4.1.2.5: UTCTime `YYMMDDHHMMSSZ` through 2049, GeneralizedTime `YYYYMMDDHHMMSSZ` from 2050.
 * @returns milliseconds since the Unix epoch
 */
export function readTime(reader: DerReader): number {
  const utc = reader.peek() === TAG.utcTime;
  const text = reader.latin1(utc ? TAG.utcTime : TAG.generalizedTime);
  if (text.length !== (utc ? 13 : 15) || !text.endsWith('Z')) throw new DerError('time not in the form of RFC 5280');
  const yearDigits = utc ? 2 : 4;
  const written = digits(text, 0, yearDigits);
  // §4.1.2.5.1: two digits from 50 mean 19YY.
  const year = utc ? written + (written >= 50 ? 1900 : 2000) : written;
  if (!utc && year < 2050) throw new DerError('GeneralizedTime before 2050');
  const month = digits(text, yearDigits, 2);
  const day = digits(text, yearDigits + 2, 2);
  const hour = digits(text, yearDigits + 4, 2);
  const minute = digits(text, yearDigits + 6, 2);
  const second = digits(text, yearDigits + 8, 2);
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59) {
    throw new DerError('no such time');
  }
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

/** X.690 §8.3.2: no leading zero octet but the one for the sign. Negative integers are refused by all callers. */
function requireShortestInteger(content: Buffer): void {
  if (content.length === 0) throw new DerError('integer empty');
  if (content.length > 1 && content[0] === 0 && content[1]! < 0x80)
    throw new DerError('integer not in its shortest form');
}

function digits(text: string, from: number, count: number): number {
  let value = 0;
  for (let i = from; i < from + count; i += 1) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) throw new DerError('time not in the form of RFC 5280');
    value = value * 10 + digit;
  }
  return value;
}

function daysIn(year: number, month: number): number {
  if (month !== 2) return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
}
