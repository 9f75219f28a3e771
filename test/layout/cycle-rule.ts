/**
 * No import cycles: a module of a cycle can see another one half made. Imports of types alone are erased before
 * anything runs and do not count.
 */
import type { Rule } from './rule.ts';
import type { SourceTree } from './source-tree.ts';

export const noCycles: Rule = {
  name: 'no module imports itself through others',
  check: (file, tree) => {
    const way = wayBack(tree, file.path);
    // Told once per cycle: by its member that comes first in the alphabet.
    if (way === undefined || way.some((path) => path < file.path)) return [];
    return [`${file.path}: ${[...way, file.path].join(' -> ')}`];
  },
};

/** A shortest way of imports from a file back to itself. */
function wayBack(tree: SourceTree, start: string): string[] | undefined {
  const cameFrom = new Map<string, string>();
  const queue = [start];
  for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
    for (const next of targets(tree, at)) {
      if (next === start) return wayTo(cameFrom, start, at);
      if (!cameFrom.has(next)) {
        cameFrom.set(next, at);
        queue.push(next);
      }
    }
  }
  return undefined;
}

function wayTo(cameFrom: ReadonlyMap<string, string>, start: string, end: string): string[] {
  const way = [end];
  while (way[0] !== start) way.unshift(cameFrom.get(way[0]!)!);
  return way;
}

function targets(tree: SourceTree, path: string): string[] {
  return (tree.get(path)?.imports ?? []).filter((one) => one.relative && !one.typeOnly).map((one) => one.target);
}
