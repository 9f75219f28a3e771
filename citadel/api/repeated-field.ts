/**
 * Fields that may come once. node:http silently keeps the first of several; whatever stands in front of citadel may
 * have judged another. A request that can be read in two ways is refused instead. Pure.
 */

/** RFC 9112 §3.2 for Host, RFC 9110 §5.3 for the others: none of them is a list. */
const SINGULAR: ReadonlySet<string> = new Set(['host', 'authorization', 'content-type', 'content-length', 'expect']);

/**
 * @param rawHeaders names and values in turn, as they arrived
 * @returns the name of the first such field that comes again
 */
export function repeatedField(rawHeaders: readonly string[]): string | undefined {
  const seen = new Set<string>();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!.toLowerCase();
    if (!SINGULAR.has(name)) continue;
    if (seen.has(name)) return name;
    seen.add(name);
  }
  return undefined;
}
