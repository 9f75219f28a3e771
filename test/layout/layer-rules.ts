/**
 * Who may import whom (ARCHITECTURE, the layer rule). Inside a program the folders stand in the order in which
 * data flows through them, and a folder imports only from folders to its left; only the wiring sees everything.
 */
import type { Rule } from './rule.ts';
import type { Import, SourceFile } from './source-tree.ts';

interface Program {
  /** From left to right. */
  readonly flow: readonly string[];
  /** Folders beside the flow, with the folders that may import them. They import nothing but shared. */
  readonly leaves: Readonly<Record<string, readonly string[]>>;
}

/** Commands stand beside main and compose: they see everything, and no folder sees them. */
const WIRING = 'cli';

const PROGRAMS: Readonly<Record<string, Program>> = {
  citadel: {
    flow: ['attest', 'csr', 'registry', 'authority', 'ledger', 'revocation', 'distribute', 'api'],
    leaves: { kubernetes: ['attest'], telemetry: ['api'], 'dev-issuer': [] },
  },
  sidecar: {
    flow: [
      'identity',
      'tls',
      'policy',
      'channel',
      'tunnel',
      'balance',
      'relay',
      'listeners',
      'lifecycle',
      'workers',
      'admin',
    ],
    leaves: { telemetry: ['identity', 'relay', 'listeners', 'lifecycle', 'admin'] },
  },
};

/** Folders outside the programs, with what they may import. */
const OUTSIDE: Readonly<Record<string, readonly string[]>> = {
  shared: ['shared'],
  bin: ['citadel', 'sidecar', 'shared', 'dist'],
  scripts: ['citadel', 'sidecar', 'shared', 'scripts', 'test'],
  test: ['citadel', 'sidecar', 'shared', 'scripts', 'test', 'manifests'],
  manifests: ['manifests'],
};

export const programsApart: Rule = {
  name: 'citadel and sidecar never import each other, and shared imports neither',
  check: (file) =>
    file.imports
      .filter((one) => one.relative && !mayCross(top(file.path), top(one.target)))
      .map((one) => `${file.path}:${one.line}: imports ${one.target}`),
};

export const leftOnly: Rule = {
  name: 'a folder imports only from folders to its left, and leaves only from shared',
  check: (file) => {
    const program = PROGRAMS[top(file.path)];
    const folder = folderOf(file.path);
    if (!program || folder === undefined || folder === WIRING) return [];
    return file.imports
      .filter((one) => one.relative && top(one.target) === top(file.path) && !mayImport(program, file, one))
      .map((one) => `${file.path}:${one.line}: imports ${one.target}`);
  },
};

export const knownFolders: Rule = {
  name: 'every folder of a program has its place in the layer order',
  check: (file) => {
    const program = PROGRAMS[top(file.path)];
    const folder = folderOf(file.path);
    if (!program || folder === undefined || folder === WIRING) return [];
    if (program.flow.includes(folder) || folder in program.leaves) return [];
    return [`${file.path}: the folder ${folder} is not in the layer order`];
  },
};

function mayCross(from: string, to: string): boolean {
  return from === to || (OUTSIDE[from] ?? ['shared']).includes(to);
}

function mayImport({ flow, leaves }: Program, file: SourceFile, one: Import): boolean {
  const from = folderOf(file.path)!;
  const to = folderOf(one.target);
  // The pipeline and the wiring stand above the folders: below, at most their types may be known.
  if (to === undefined) return one.typeOnly && one.target.endsWith('/issue-certificate.ts');
  if (from === to) return true;
  if (from in leaves) return false;
  if (to in leaves) return leaves[to]!.includes(from);
  return flow.includes(to) && flow.indexOf(to) < flow.indexOf(from);
}

function top(path: string): string {
  return path.split('/')[0]!;
}

/** The folder inside a program, or undefined for a file at its root. */
function folderOf(path: string): string | undefined {
  const parts = path.split('/');
  return parts.length > 2 ? parts[1] : undefined;
}
