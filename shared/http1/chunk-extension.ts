/**
 * Chunk extensions (RFC 9112 §7.1.1), byte by byte: `*( ";" token [ "=" ( token / quoted-string ) ] )`. No whitespace
 * and no bare CR or LF, because readers disagree on where a line with them ends. Nobody understands one; they only pass.
 */
import { CR, TOKEN, VALUE } from './characters.ts';
import { malformed } from './http1-error.ts';

export type ExtensionState = 'name' | 'in-name' | 'value' | 'in-value' | 'quoted' | 'escaped' | 'quoted-end';

/** Behind the `;`. */
export const EXTENSION_START: ExtensionState = 'name';

const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * @returns undefined when `byte` is the CR that ends the line
 * @throws {Http1Error}
 */
export function nextExtensionState(state: ExtensionState, byte: number): ExtensionState | undefined {
  switch (state) {
    case 'name':
      if (TOKEN[byte] === 1) return 'in-name';
      break;
    case 'in-name':
      if (TOKEN[byte] === 1) return state;
      if (byte === EQUALS) return 'value';
      return behindOne(byte);
    case 'value':
      if (TOKEN[byte] === 1) return 'in-value';
      if (byte === QUOTE) return 'quoted';
      break;
    case 'in-value':
      if (TOKEN[byte] === 1) return state;
      return behindOne(byte);
    case 'quoted': // RFC 9110 §5.6.4
      if (byte === QUOTE) return 'quoted-end';
      if (byte === BACKSLASH) return 'escaped';
      if (VALUE[byte] === 1) return state;
      break;
    case 'escaped':
      if (VALUE[byte] === 1) return 'quoted';
      break;
    case 'quoted-end':
      return behindOne(byte);
  }
  throw malformed('chunk extension');
}

function behindOne(byte: number): ExtensionState | undefined {
  if (byte === SEMICOLON) return EXTENSION_START;
  if (byte === CR) return undefined;
  throw malformed('chunk extension');
}
