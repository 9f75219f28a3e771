/** Small damage to a message, of the kinds that readers are known to disagree on. */
import type { Chance } from './chance.ts';

const PIECES = [
  '\r',
  '\n',
  '\r\n',
  '\n\n',
  '\0',
  ' ',
  '\t',
  '\x0b',
  ':',
  ',',
  ';',
  '_',
  '\x7f',
  '\x85',
  '\xa0',
  '0',
  '\r\n ',
  'Content-Length: 3\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding : chunked\r\n',
  '\r\n0\r\n\r\n',
  'Host: b\r\n',
];

export function damaged(text: string, chance: Chance): string {
  let result = text;
  for (let left = 1 + chance.below(2); left > 0; left--) result = once(result, chance);
  return result;
}

function once(text: string, chance: Chance): string {
  // Most rules are about the places where lines and names end.
  const at = chance.holds(0.6) ? boundary(text, chance) : chance.below(text.length + 1);
  const rest = text.slice(at);
  switch (chance.below(5)) {
    case 0:
      return text.slice(0, at) + chance.of(PIECES) + rest;
    case 1:
      return text.slice(0, at) + rest.slice(1 + chance.below(2));
    case 2:
      return text.slice(0, at) + chance.of(PIECES) + rest.slice(1);
    case 3:
      return text.slice(0, at) + String.fromCharCode(chance.below(256)) + rest.slice(1);
    default:
      return text.slice(0, at) + rest.slice(0, 1 + chance.below(30)) + rest;
  }
}

function boundary(text: string, chance: Chance): number {
  const places = Array.from(text.matchAll(/[\r\n:; ,]/g), ({ index }) => index);
  return places.length === 0 ? 0 : chance.of(places) + chance.below(2);
}
