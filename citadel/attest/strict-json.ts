/**
 * JSON objects in which every name means one thing. JSON.parse keeps the last of two equal names, other parsers
 * the first: whoever signs and whoever checks could then read different claims out of the same bytes
 * (RFC 7515 §4 and RFC 7519 §4 let us refuse them).
 */

export type JsonObject = Readonly<Record<string, unknown>>;

/** @throws {SyntaxError} when the bytes are not UTF-8, not JSON, not an object, or repeat a name anywhere inside */
export function parseStrictJson(bytes: Uint8Array): JsonObject {
  const text = decodeUtf8(bytes);
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new SyntaxError('not a JSON object');
  refuseRepeatedNames(text);
  return value as JsonObject;
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    // The decoder says only "encoded data was not valid"; this says it in our terms.
    throw new SyntaxError('not UTF-8');
  }
}

/** A string, or a mark that opens, closes or parts. Everything else in valid JSON is a number, a word or space. */
const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\],]/g;

/** @param text is valid JSON already, so a string at the place of a name is a name */
function refuseRepeatedNames(text: string): void {
  /** Names seen in each open object; undefined stands for an array. */
  const open: (Set<string> | undefined)[] = [];
  let atName = false;
  for (const [token] of text.matchAll(TOKENS)) {
    if (token === '{' || token === '[') {
      open.push(token === '{' ? new Set() : undefined);
      atName = token === '{';
    } else if (token === '}' || token === ']') {
      open.pop();
      atName = false;
    } else if (token === ',') atName = open.at(-1) !== undefined;
    else if (atName) {
      const names = open.at(-1)!;
      // Parsed again so that an escaped spelling of a name counts as that name.
      const name: string = JSON.parse(token);
      if (names.has(name)) throw new SyntaxError('a name occurs twice');
      names.add(name);
      atName = false;
    }
  }
}
