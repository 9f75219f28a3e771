/**
 * Which protocol a connection speaks, by its first bytes. Pure: the bytes so far in, a verdict out. It decides only
 * what the bytes show beyond doubt, and never needs more than `LONGEST_LOOK` of them; who speaks last decides by time.
 */

/** `h2`: HTTP/2 with prior knowledge. `opaque`: none of the others. */
export type Spoken = 'tls' | 'http' | 'h2' | 'opaque';

/** RFC 9113 §3.4. */
const H2_PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** Longest method that is taken for one; every registered one is shorter (IANA HTTP Method Registry). */
const LONGEST_METHOD = 24;

/** Nothing is undecided any more with this many bytes. */
export const LONGEST_LOOK = LONGEST_METHOD + 1 + 8;

const SCHEMES = ['http://', 'https://'];
const LONGEST_SCHEME = 'https://'.length;

/** RFC 8446 §5.1: the type of the record that a client begins with. */
export const TLS_HANDSHAKE = 0x16;

const [TLS_MAJOR, SPACE, STAR, DASH, SLASH, BRACKET] = [0x03, 0x20, 0x2a, 0x2d, 0x2f, 0x5b];

/** @returns undefined when more bytes are needed */
export function spokenIn(bytes: Buffer): Spoken | undefined {
  if (bytes.length === 0) return undefined;
  const tls = asTls(bytes);
  if (tls !== 'no') return tls === 'yes' ? 'tls' : undefined;
  // No method is called PRI (RFC 9113 §11.6 reserves it), so a beginning of the preface waits for the rest.
  const h2 = startsLike(bytes, H2_PREFACE);
  if (h2 !== 'no') return h2 === 'yes' ? 'h2' : undefined;
  const http = asHttp(bytes);
  return http === 'maybe' ? undefined : http === 'yes' ? 'http' : 'opaque';
}

/** How every answer begins (RFC 9112 §4). */
const ANSWER_START = Buffer.from('HTTP/', 'latin1');

/** Of a frame's head (RFC 9113 §4.1) behind its length: SETTINGS without flags, on stream 0. */
const SETTINGS_HEAD = Buffer.from([0x04, 0, 0, 0, 0, 0]);
/** A setting takes six bytes (RFC 9113 §6.5.1), and few are sent. */
const SETTING_BYTES = 6;
const LENGTH_BYTES = 3;

/**
 * What a server shows that spoke before its client. `h2`: RFC 9113 §3.4 lets it send its settings at once; who speaks
 * is still the client. `answer`: an HTTP server says goodbye to a client that it waited for too long. `other`: it is
 * a protocol in which servers speak first. @returns undefined when more bytes are needed
 */
export function saidIn(bytes: Buffer): 'h2' | 'answer' | 'other' | undefined {
  for (const [guess, verdict] of [
    [startsLike(bytes, ANSWER_START), 'answer'],
    [asSettings(bytes), 'h2'],
  ] as const) {
    if (guess !== 'no') return guess === 'yes' ? verdict : undefined;
  }
  return 'other';
}

function asSettings(bytes: Buffer): Guess {
  if (bytes.length < LENGTH_BYTES) return bytes.every((byte, at) => byte === 0 || at === 2) ? 'maybe' : 'no';
  const length = bytes.readUIntBE(0, LENGTH_BYTES);
  if (length > 255 || length % SETTING_BYTES !== 0) return 'no';
  return startsLike(bytes.subarray(LENGTH_BYTES), SETTINGS_HEAD);
}

function startsLike(bytes: Buffer, whole: Buffer): Guess {
  const seen = Math.min(bytes.length, whole.length);
  if (whole.compare(bytes, 0, seen, 0, seen) !== 0) return 'no';
  return seen === whole.length ? 'yes' : 'maybe';
}

type Guess = 'yes' | 'no' | 'maybe';

/** RFC 8446 §5.1: a record of type handshake, legacy version 3.x, and a ClientHello (1) in it. */
function asTls(bytes: Buffer): Guess {
  if (bytes[0] !== TLS_HANDSHAKE) return 'no';
  if (bytes.length > 1 && bytes[1] !== TLS_MAJOR) return 'no';
  if (bytes.length > 2 && bytes[2]! > 4) return 'no';
  if (bytes.length < 6) return 'maybe';
  return bytes[5] === 1 ? 'yes' : 'no';
}

/** RFC 9112 §3: a method, one space, and the beginning of a target. */
function asHttp(bytes: Buffer): Guess {
  const end = Math.min(bytes.length, LONGEST_METHOD + 1);
  for (let at = 0; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === SPACE) return at === 0 ? 'no' : asTarget(bytes, at);
    // Methods are case-sensitive and, but for private ones, upper case: text protocols in lower case stay opaque.
    if (!isUpper(byte) && byte !== DASH) return 'no';
  }
  return bytes.length > LONGEST_METHOD ? 'no' : 'maybe';
}

/** RFC 9112 §3.2. A bare word is a target only for CONNECT: others speak like that too (`NICK bob`, `EHLO here`). */
function asTarget(bytes: Buffer, space: number): Guess {
  const first = bytes[space + 1];
  if (first === undefined) return 'maybe';
  if (first === SLASH || first === STAR) return 'yes';
  if (bytes.toString('latin1', 0, space) === 'CONNECT')
    return isAlphanumeric(first) || first === BRACKET ? 'yes' : 'no';
  const start = bytes.toString('latin1', space + 1, space + 1 + LONGEST_SCHEME).toLowerCase();
  if (SCHEMES.some((scheme) => start.startsWith(scheme))) return 'yes';
  return SCHEMES.some((scheme) => scheme.startsWith(start)) ? 'maybe' : 'no';
}

function isUpper(byte: number): boolean {
  return byte >= 0x41 && byte <= 0x5a;
}

function isAlphanumeric(byte: number): boolean {
  return isUpper(byte) || (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x30 && byte <= 0x39);
}
