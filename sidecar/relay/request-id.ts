/** The id by which an operator follows one request through all sidecars: the caller's, or a new one. */
import type { Randomness } from '../../shared/clock/clock.ts';

export const REQUEST_ID_NAME = 'x-request-id';

/** What goes into logs as an id: short and without anything that a log reader could take for something else. */
const SANE = /^[\w.:/+=-]{1,128}$/;

export function isRequestId(text: string): boolean {
  return SANE.test(text);
}

const BYTES = 16;
const CHARACTERS = 36;
/** Made together: asking for chance and making text of it cost more once for each than all the rest of an id. */
const BATCH = 64;
const DIGITS = Buffer.from('0123456789abcdef', 'latin1');

/** Version 4 UUIDs (RFC 9562 §5.4), as Envoy makes them. */
export class RequestIds {
  readonly #randomness: Randomness;
  #batch = '';
  #next = 0;

  constructor(randomness: Randomness) {
    this.#randomness = randomness;
  }

  next(): string {
    if (this.#next === this.#batch.length) {
      this.#batch = uuids(this.#randomness.bytes(BYTES * BATCH));
      this.#next = 0;
    }
    const at = this.#next;
    this.#next += CHARACTERS;
    return this.#batch.slice(at, this.#next);
  }
}

/** One behind the other. */
function uuids(random: Buffer): string {
  const text = Buffer.alloc((random.length / BYTES) * CHARACTERS, '-');
  let to = 0;
  for (let at = 0; at < random.length; at++) {
    const place = at % BYTES;
    if (place === 4 || place === 6 || place === 8 || place === 10) to++;
    let byte = random[at]!;
    if (place === 6) byte = (byte & 0x0f) | 0x40;
    else if (place === 8) byte = (byte & 0x3f) | 0x80;
    text[to++] = DIGITS[byte >> 4]!;
    text[to++] = DIGITS[byte & 0x0f]!;
  }
  return text.toString('latin1');
}
