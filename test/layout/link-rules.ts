/** What the documents point at must be there: links, their anchors, and paths of this project named in code style. */
import path from 'node:path';
import type { Rule } from './rule.ts';
import { lineOf, type SourceFile, type SourceTree } from './source-tree.ts';

const LINK = /\]\((?!https?:|mailto:)([^)\s#]*)(?:#([^)\s]+))?\)/g;
const NAMED_PATH = /`((?:citadel|sidecar|shared|test|scripts|manifests|docs|bin|\.ci)\/[\w./-]+)`/g;

export const linksResolve: Rule = {
  name: 'links in the documents lead somewhere',
  check: (file, tree) =>
    isDocument(file)
      ? Array.from(file.text.matchAll(LINK)).flatMap((match) => {
          const to = match[1] === '' ? file.path : path.posix.join(path.posix.dirname(file.path), match[1]!);
          const at = `${file.path}:${lineOf(file.text, match.index)}`;
          if (!tree.exists(to)) return [`${at}: ${to} does not exist`];
          return match[2] === undefined || hasAnchor(tree, to, match[2]) ? [] : [`${at}: ${to} has no #${match[2]}`];
        })
      : [],
};

export const namedPathsExist: Rule = {
  name: 'paths that the documents name exist',
  check: (file, tree) =>
    isDocument(file)
      ? Array.from(file.text.matchAll(NAMED_PATH))
          .filter((match) => !tree.exists(match[1]!) && !match[1]!.includes('NNNN'))
          .map((match) => `${file.path}:${lineOf(file.text, match.index)}: ${match[1]} does not exist`)
      : [],
};

function hasAnchor(tree: SourceTree, document: string, anchor: string): boolean {
  const text = tree.get(document)?.text;
  if (text === undefined || !document.endsWith('.md')) return true;
  const headings = Array.from(text.matchAll(/^#+\s+(.+)$/gm), (match) => slug(match[1]!));
  return headings.includes(anchor) || text.includes(`id="${anchor}"`);
}

/** How the usual forges make an anchor from a heading. */
function slug(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s/g, '-');
}

function isDocument(file: SourceFile): boolean {
  return file.path.endsWith('.md');
}
