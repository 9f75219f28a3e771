/** Which bytes may stand where in HTTP/1.1, as tables that a loop over bytes can ask. */

export const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const COLON = 0x3a;
/** Makes a letter lower case and leaves `-` and digits as they are. */
export const LOWER = 0x20;

/** Bytes of a table are 1 where the byte may stand. */
export type ByteTable = Readonly<Uint8Array>;

const DIGITS = '0123456789';
const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** RFC 9110 §5.6.2: tchar. */
export const TOKEN: ByteTable = tableOf(`!#$%&'*+-.^_\`|~${DIGITS}${LETTERS}`);

/** RFC 9110 §5.5: VCHAR, obs-text, SP and HTAB; no other control, so no CR, LF or NUL. */
export const VALUE: ByteTable = tableWhere((byte) => byte === TAB || (byte >= SP && byte !== 0x7f));

/** Visible ASCII without `#`: a fragment never travels (RFC 9110 §7.1), and servers disagree on what to do with one. */
export const TARGET: ByteTable = tableWhere((byte) => byte > SP && byte < 0x7f && byte !== 0x23);

/**
 * RFC 3986 §3.2.2: reg-name and IPv4address. Without `,`, which would be a list of hosts to one reader and a name to
 * another; with `_`-like unreserved characters, which names of containers have.
 */
export const HOST_NAME: ByteTable = tableOf(`-._~!$&'()*+;=%${DIGITS}${LETTERS}`);

export function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

/** RFC 9110 §5.6.3: optional whitespace. */
export function isSpace(byte: number | undefined): boolean {
  return byte === SP || byte === TAB;
}

function tableOf(characters: string): Uint8Array {
  return tableWhere((byte) => characters.includes(String.fromCharCode(byte)));
}

function tableWhere(holds: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (holds(byte) ? 1 : 0));
}
