/**
 * PEM text (RFC 7468), strictly: only blocks of the one expected label, only white space between them,
 * canonical base64. Text that a more lenient reader would skip is refused, so that two readers never
 * disagree about what a file holds. An error never repeats the text: it may be a private key.
 */

export class PemError extends Error {
  override readonly name = 'PemError';
}

const LINE = 64;
const DEFAULT_MOST = 16;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

export function encodePem(label: string, der: Uint8Array): string {
  const text = Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString('base64');
  let lines = '';
  for (let at = 0; at < text.length; at += LINE) lines += `${text.slice(at, at + LINE)}\n`;
  return `-----BEGIN ${label}-----\n${lines}-----END ${label}-----\n`;
}

/**
 * @param most how many blocks at most
 * @returns at least one block
 * @throws {PemError} on anything but such blocks and white space
 */
export function decodePem(text: string, label: string, most: number = DEFAULT_MOST): Buffer[] {
  const begin = `-----BEGIN ${label}-----`;
  const end = `-----END ${label}-----`;
  const blocks: Buffer[] = [];
  let at = pastSpace(text, 0);
  while (at < text.length) {
    if (blocks.length === most) throw new PemError(`more than ${most} blocks`);
    if (!text.startsWith(begin, at)) throw new PemError(`expected only ${label} blocks`);
    const start = at + begin.length;
    const stop = text.indexOf(end, start);
    if (stop < 0) throw new PemError(`a ${label} block does not end`);
    blocks.push(decodeBody(text.slice(start, stop)));
    at = pastSpace(text, stop + end.length);
  }
  if (blocks.length === 0) throw new PemError(`no ${label} block`);
  return blocks;
}

function decodeBody(body: string): Buffer {
  // RFC 7468 §3: the boundaries stand on lines of their own.
  if (!/^[ \t]*\r?\n/.test(body) || !/\n[ \t]*$/.test(body.slice(-64)))
    throw new PemError('a boundary is not on its own line');
  const base64 = body.replace(/[ \t\r\n]+/g, '');
  if (base64.length % 4 !== 0 || !BASE64.test(base64)) throw new PemError('a block is not base64');
  const der = Buffer.from(base64, 'base64');
  // Bits set behind the last byte would make two texts for one content.
  if (der.toString('base64') !== base64) throw new PemError('a block is not canonical base64');
  return der;
}

function pastSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && ' \t\r\n'.includes(text.charAt(at))) at += 1;
  return at;
}
