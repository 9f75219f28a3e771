/**
 * A header section as it came, `[name, value, name, value, …]` as in node:http's `rawHeaders`, and what one pass
 * over it tells of framing and routing. Order, letter case and duplicates are kept: they are the sender's.
 */

export type RawHeaders = readonly string[];

/** The values of the fields that decide where a message ends, whom it is for and what it asks of the connection. */
export interface HeaderScan {
  readonly fields: number;
  readonly hosts: readonly string[];
  readonly lengths: readonly string[];
  readonly codings: readonly string[];
  readonly expectations: readonly string[];
  /** Lowercase tokens of Upgrade. */
  readonly upgrades: readonly string[];
  /** Lowercase tokens of Connection, other than `close` and `keep-alive`. */
  readonly connectionOptions: readonly string[];
  /** Whether TE lists `trailers`. */
  readonly wantsTrailers: boolean;
  /** Lowercase names that a reader in the CGI tradition takes for one of the framing fields. */
  readonly disguises: readonly string[];
}

/** CGI and its heirs (WSGI, Rack, PHP) make `-` and `_` the same: what is written with `_` may be read as ours. */
export function plainName(name: string): string {
  const lower = name.toLowerCase();
  return lower.includes('_') ? lower.replaceAll('_', '-') : lower;
}

export function scanHeaders(raw: RawHeaders): HeaderScan {
  const hosts: string[] = [];
  const lengths: string[] = [];
  const codings: string[] = [];
  const expectations: string[] = [];
  const upgrades: string[] = [];
  const connectionOptions: string[] = [];
  const disguises: string[] = [];
  let wantsTrailers = false;
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]!.toLowerCase();
    const value = raw[at + 1]!;
    if (name === 'host') hosts.push(value);
    else if (name === 'content-length') lengths.push(value);
    else if (name === 'transfer-encoding') codings.push(value);
    else if (name === 'expect') expectations.push(value);
    else if (name === 'upgrade') upgrades.push(...tokens(value));
    else if (name === 'connection') connectionOptions.push(...tokens(value).filter(isListedField));
    else if (name === 'te') wantsTrailers ||= tokens(value).includes('trailers');
    else if (name.includes('_') && FRAMING.has(name.replaceAll('_', '-'))) disguises.push(name);
  }
  const fields = raw.length / 2;
  return { fields, hosts, lengths, codings, expectations, upgrades, connectionOptions, wantsTrailers, disguises };
}

/** RFC 9110 §5.6.1: a list, empty elements ignored. */
export function tokens(value: string): string[] {
  return value
    .toLowerCase()
    .split(',')
    .map((token) => token.trim())
    .filter((token) => token !== '');
}

const FRAMING: ReadonlySet<string> = new Set(['content-length', 'transfer-encoding', 'host']);

function isListedField(option: string): boolean {
  return option !== 'close' && option !== 'keep-alive';
}
