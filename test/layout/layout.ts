/** All layout rules in one list, and what in a tree breaks them: for the test and for `npm run check`. */
import { noBareClock, noSecretsInWords, noSleepingTests, nothingSwallowed, nothingUnfinished } from './code-rules.ts';
import { noCycles } from './cycle-rule.ts';
import { kebabCase, purposeFirst, smallFiles, tellingNames } from './file-rules.ts';
import { knownFolders, leftOnly, programsApart } from './layer-rules.ts';
import { linksResolve, namedPathsExist } from './link-rules.ts';
import type { Rule } from './rule.ts';
import type { SourceTree } from './source-tree.ts';

export const LAYOUT_RULES: readonly Rule[] = [
  programsApart,
  leftOnly,
  knownFolders,
  noCycles,
  kebabCase,
  tellingNames,
  smallFiles,
  purposeFirst,
  noBareClock,
  noSleepingTests,
  nothingSwallowed,
  nothingUnfinished,
  noSecretsInWords,
  linksResolve,
  namedPathsExist,
];

export function problemsOf(rule: Rule, tree: SourceTree): string[] {
  return tree.files.flatMap((file) => rule.check(file, tree));
}

/** One line per problem, with the rule that it breaks. */
export function layoutProblems(tree: SourceTree): string[] {
  return LAYOUT_RULES.flatMap((rule) => problemsOf(rule, tree).map((problem) => `${problem} (${rule.name})`));
}
