/**
 * The method of a request as text. The usual ones are constants: a text made anew for each request would be hashed
 * anew wherever it is looked up. It judges nothing.
 */

const USUAL = ['GET', 'POST', 'PUT', 'HEAD', 'PATCH', 'DELETE', 'OPTIONS', 'CONNECT'].map((text) => ({
  text,
  bytes: Buffer.from(text, 'latin1'),
}));

/** The bytes from `from` to `to`, letter by letter: methods are case-sensitive (RFC 9110 §9.1). */
export function methodText(bytes: Buffer, from: number, to: number): string {
  for (let at = 0; at < USUAL.length; at++) {
    const usual = USUAL[at]!;
    if (isSame(bytes, from, to, usual.bytes)) return usual.text;
  }
  return bytes.toString('latin1', from, to);
}

function isSame(bytes: Uint8Array, from: number, to: number, wanted: Uint8Array): boolean {
  const { length } = wanted;
  if (to - from !== length) return false;
  for (let at = 0; at < length; at++) if (bytes[from + at] !== wanted[at]) return false;
  return true;
}
