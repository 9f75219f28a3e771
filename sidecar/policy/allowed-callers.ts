/**
 * Who may call an app, as its operator wrote it: exact SPIFFE IDs, and paths with everyone below them. Decided by whole
 * names, so that `/ns/shop/*` never lets `/ns/shopping` in. Pure; it never looks at a certificate: who the caller is
 * has been proved before.
 */
import { parseSpiffeId, type SpiffeId, SpiffeIdError } from '../../shared/spiffe/spiffe-id.ts';

/** A list of callers, made ready to be asked. */
export interface AllowedCallers {
  /** IDs. Parsing leaves one spelling of each (SPIFFE-ID §2), so equal text is the same workload. */
  readonly exact: ReadonlySet<string>;
  /** IDs of which everyone below may call; without a path: everyone of the trust domain. */
  readonly above: ReadonlySet<string>;
  /** Characters of the longest of `above`. */
  readonly longest: number;
}

/** As the whole last segment: every ID below, at any depth. It is no character of an ID (SPIFFE-ID §2.2). */
const BELOW = '/*';

/** @throws {SpiffeIdError} when an entry is neither an ID of a workload nor one that ends in `/*` */
export function parseAllowed(entries: readonly string[]): AllowedCallers {
  const [exact, above] = [new Set<string>(), new Set<string>()];
  for (const entry of entries) {
    if (entry.endsWith(BELOW)) above.add(parseSpiffeId(entry.slice(0, -BELOW.length)).uri);
    else exact.add(parseWorkload(entry).uri);
  }
  return { exact, above, longest: Math.max(0, ...[...above].map(({ length }) => length)) };
}

/** What is wrong with an entry, without repeating it; undefined when it is right. */
export function faultOfEntry(entry: string): string | undefined {
  try {
    parseAllowed([entry]);
    return undefined;
  } catch (error) {
    if (!(error instanceof SpiffeIdError)) throw error;
    return hasOddStar(entry) ? '`*` stands for whole names, as the last one only' : error.message;
  }
}

/** @param allowed undefined: whoever has proved who it is */
export function mayCall(allowed: AllowedCallers | undefined, caller: SpiffeId): boolean {
  return allowed === undefined || allowed.exact.has(caller.uri) || isBelowOneOf(allowed, caller);
}

/** By the names above the caller, nearest to the trust domain first: what it costs does not grow with the list. */
function isBelowOneOf({ above, longest }: AllowedCallers, { uri, path }: SpiffeId): boolean {
  let slash = uri.length - path.length;
  while (slash >= 0 && slash <= longest && slash < uri.length) {
    if (above.has(uri.slice(0, slash))) return true;
    slash = uri.indexOf('/', slash + 1);
  }
  return false;
}

/** A trust domain itself never calls: no SVID has its ID (SPIFFE X509-SVID §5.2). */
function parseWorkload(text: string): SpiffeId {
  const id = parseSpiffeId(text);
  if (id.path === '') throw new SpiffeIdError('it names a trust domain and no workload');
  return id;
}

/** Behind the scheme, whose second slash is no part of a name. */
function hasOddStar(entry: string): boolean {
  const names = entry.slice('spiffe://'.length);
  return (names.endsWith(BELOW) ? names.slice(0, -BELOW.length) : names).includes('*');
}
