/** The id by which an operator follows one request through all sidecars: the caller's, or a new one. */
import type { Randomness } from '../../shared/clock/clock.ts';

export const REQUEST_ID_NAME = 'x-request-id';

/** What goes into logs as an id: short and without anything that a log reader could take for something else. */
const SANE = /^[\w.:/+=-]{1,128}$/;

export function isRequestId(text: string): boolean {
  return SANE.test(text);
}

/** A version 4 UUID (RFC 9562 §5.4), as Envoy makes them. */
export function newRequestId(randomness: Randomness): string {
  const bytes = randomness.bytes(16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
