/** What a layout rule is: a name that reads as a promise, and a function that lists where a file breaks it. */
import type { SourceFile, SourceTree } from './source-tree.ts';

export interface Rule {
  readonly name: string;
  /** @returns one line per problem, beginning with the path */
  check(file: SourceFile, tree: SourceTree): string[];
}
