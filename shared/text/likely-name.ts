/**
 * Which of the known names somebody meant who wrote another one: on a command line, in a configuration. It only
 * suggests; nothing is ever taken for what it resembles. Pure.
 */

/** Two letters more, less or other: what a slip of the hand makes. In a short name that would be any other name. */
const MOST_SLIPS = 2;

/** @returns the nearest name, when one is near enough */
export function likelyName(word: string, names: readonly string[]): string | undefined {
  const wanted = plain(word);
  const near = names
    .map((name) => ({ name, slips: distance(plain(name), wanted) }))
    .filter(({ name, slips }) => slips <= Math.min(MOST_SLIPS, Math.floor(name.length / 2)));
  return near.sort((a, b) => a.slips - b.slips)[0]?.name;
}

/** As the end of a sentence that names the unknown word: `, did you mean …?`, or nothing. */
export function meant(word: string, names: readonly string[]): string {
  const name = likelyName(word, names);
  return name === undefined ? '' : `, did you mean \`${name}\`?`;
}

/** The same name in another style: `body_bytes`, `body-bytes`, `bodyBytes`. Dashes in front are no style. */
function plain(name: string): string {
  return name.replaceAll(/(?<=\w)[-_]/g, '').toLowerCase();
}

/** Levenshtein's edit distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length]!;
}
