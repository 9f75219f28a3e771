/**
 * Serial numbers: 16 random octets (RFC 5280 §4.1.2.2 allows 20). The first one lies between 0x40 and 0x7f, so the
 * number is positive and always has the same length; 126 bits of chance remain.
 */
import type { Randomness } from '../../shared/clock/clock.ts';

export const SERIAL_BYTES = 16;

export function serialNumber(randomness: Randomness): Buffer {
  const serial = randomness.bytes(SERIAL_BYTES);
  serial[0] = (serial[0]! & 0x3f) | 0x40;
  return serial;
}
