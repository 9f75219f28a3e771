/** What a reader made of the bytes of one connection, in a form in which two readers can be compared. */

export interface ReadMessage {
  /** `GET /path 1.1` or `200 1.1`. */
  readonly start: string;
  /** `name: value`, those that a proxy forwards. */
  readonly fields: readonly string[];
  /** latin1, without framing. */
  readonly body: string;
  readonly trailers: readonly string[];
  /** Whether its end was found. */
  readonly whole: boolean;
  /** Undefined when the reader does not say. */
  readonly keepAlive: boolean | undefined;
}

export interface Reading {
  /** In order; the last one may not be whole. */
  readonly messages: readonly ReadMessage[];
  /** Why nothing more was read, when the bytes are at fault. */
  readonly refused: string | undefined;
  /** What follows is not read: it may be another protocol, or the sender said that nothing follows. */
  readonly ended?: 'upgrade' | 'close';
}

/** `name`, `value`, `name`, `value`, … as lines. */
export function linesOf(raw: readonly string[]): string[] {
  const lines: string[] = [];
  for (let at = 0; at < raw.length; at += 2) lines.push(`${raw[at]}: ${raw[at + 1]}`);
  return lines;
}

/** Field lines as text, as lines without optional whitespace. */
export function linesIn(text: string): string[] {
  if (text === '') return [];
  return text
    .slice(0, -2)
    .split('\r\n')
    .map((line) => {
      const colon = line.indexOf(':');
      return `${line.slice(0, colon)}: ${line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')}`;
    });
}
