/**
 * The source files of the project as the layout rules see them: path, text, text without comments, and imports
 * resolved to paths. Read once from disk, or built from literals so that each rule can be shown a bad example.
 * It never runs what it reads.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

export interface Import {
  /** Path in the tree for relative imports; the specifier itself for packages and `node:` modules. */
  readonly target: string;
  readonly relative: boolean;
  /** Erased before anything runs. */
  readonly typeOnly: boolean;
  readonly line: number;
}

export interface SourceFile {
  /** From the root of the project, with slashes. */
  readonly path: string;
  readonly text: string;
  /** The same lines without comments. */
  readonly code: string;
  readonly imports: readonly Import[];
}

export interface SourceTree {
  readonly files: readonly SourceFile[];
  get(path: string): SourceFile | undefined;
  /** Whether a file or folder of that path exists, also one that is no source. */
  exists(path: string): boolean;
}

const ROOT = path.join(import.meta.dirname, '../..');
const SOURCE = /\.(ts|js|sh|md)$/;
const SKIPPED = new Set(['node_modules', 'dist', '.git', '.cache', 'coverage']);
/** Full of bad examples, on purpose. */
const EXAMPLES = 'test/layout/layout.test.ts';

export function readSourceTree(): SourceTree {
  const all = readdirSync(ROOT, { withFileTypes: true })
    .filter((entry) => !SKIPPED.has(entry.name))
    .flatMap((entry) => (entry.isDirectory() ? walk(entry.name) : [entry.name]));
  const texts = all
    .filter((file) => SOURCE.test(file) && file !== EXAMPLES)
    .map((file): [string, string] => [file, readFileSync(path.join(ROOT, file), 'utf8')]);
  return treeOf(Object.fromEntries(texts), all);
}

/** @param others paths that exist besides the sources */
export function treeOf(texts: Readonly<Record<string, string>>, others: readonly string[] = []): SourceTree {
  const files = Object.entries(texts).map(([file, text]) => sourceFile(file, text));
  const byPath = new Map(files.map((file) => [file.path, file]));
  const known = new Set<string>();
  for (const file of [...others, ...byPath.keys()]) {
    for (let at = file; at !== '.'; at = path.posix.dirname(at)) known.add(at);
  }
  return { files, get: (file) => byPath.get(file), exists: (file) => known.has(file.replace(/\/$/, '')) };
}

export function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

function walk(folder: string): string[] {
  return readdirSync(path.join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const at = `${folder}/${entry.name}`;
    if (SKIPPED.has(entry.name)) return [];
    return entry.isDirectory() ? walk(at) : [at];
  });
}

function sourceFile(file: string, text: string): SourceFile {
  const script = /\.(ts|js)$/.test(file);
  const code = script ? withoutComments(text) : text;
  return { path: file, text, code, imports: script ? importsOf(file, code) : [] };
}

/** Comments as our formatter leaves them: on lines of their own or after a space at the end. Lines keep their numbers. */
function withoutComments(text: string): string {
  return text
    .replace(/^[ \t]*\/\*[\s\S]*?\*\//gm, (comment) => comment.replace(/[^\n]/g, ' '))
    .replace(/\/\*[^\n]*?\*\//g, ' ')
    .replace(/(^|\s)\/\/[^\n]*/g, '$1');
}

const FROM = /^[ \t]*(import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm;
const DYNAMIC = /\bimport\(\s*'([^']+)'\s*\)(\s*\.\w)?/g;

function importsOf(file: string, code: string): Import[] {
  const statics = Array.from(code.matchAll(FROM), (match) =>
    importOf(file, match[3]!, match[2] !== undefined, lineOf(code, match.index)),
  );
  // `import('x').Name` in a type is erased; `await import('x')` is not.
  const dynamics = Array.from(code.matchAll(DYNAMIC), (match) =>
    importOf(file, match[1]!, match[2] !== undefined, lineOf(code, match.index)),
  );
  return [...statics, ...dynamics];
}

function importOf(file: string, specifier: string, typeOnly: boolean, line: number): Import {
  const relative = specifier.startsWith('.');
  const target = relative ? path.posix.join(path.posix.dirname(file), specifier) : specifier;
  return { target, relative, typeOnly, line };
}
