/**
 * Serial numbers: 4 octets of time and 12 of chance (RFC 5280 §4.1.2.2 allows 20 in all). The time, which stands in
 * the certificate anyway, makes serials rise, so that the journal writes its index at one end instead of all over
 * (half of the cost of an entry); 96 bits of chance remain, which is more than anyone can guess or draw twice.
 */
import type { Randomness } from '../../shared/clock/clock.ts';

export const SERIAL_BYTES = 16;
const TIME_BYTES = 4;

/** @param notBefore of the certificate, milliseconds since the Unix epoch */
export function serialNumber(randomness: Randomness, notBefore: number): Buffer {
  const serial = Buffer.allocUnsafe(SERIAL_BYTES);
  // The highest bits are 01: positive, and always of the same length. Thirty bits of seconds last for 34 years.
  serial.writeUInt32BE(0x40000000 + (Math.floor(notBefore / 1000) % 0x40000000), 0);
  serial.set(randomness.bytes(SERIAL_BYTES - TIME_BYTES), TIME_BYTES);
  return serial;
}
