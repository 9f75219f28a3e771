/**
 * Settings from a YAML file and the environment, the environment winning. All problems are reported at once,
 * each with the line or the variable to fix; unknown keys and variables are problems. It never prints a value
 * that is marked secret.
 */
import { readFileSync } from 'node:fs';
import { type Document, isMap, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { meant } from '../text/likely-name.ts';
import { keysAt, type SettingsKey, type SettingsSpec, settingsKeys } from './settings.ts';
import { SettingsProblems } from './settings-problems.ts';

export { SettingsProblems };

export interface SettingsSource {
  /** Path of the YAML (or JSON) file; none: defaults and environment only. */
  readonly file?: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

type Path = readonly PropertyKey[];

/** Bound on what a configuration file may be: bytes. */
const LARGEST_FILE = 1 << 20;

/** @throws {SettingsProblems} with all problems; nothing is applied then */
export function loadSettings<Schema extends z.ZodObject>(
  spec: SettingsSpec<Schema>,
  source: SettingsSource,
): z.output<Schema> {
  const keys = settingsKeys(spec);
  const problems: string[] = [];
  const file = source.file === undefined ? undefined : readFile(source.file, problems);
  const values = file?.values ?? {};
  const fromEnvironment = applyEnvironment(spec.prefix, keys, source.environment, values, problems);
  // Without its file, what else is wrong cannot be told.
  if (source.file !== undefined && file === undefined) throw new SettingsProblems(problems);
  const parsed = spec.schema.safeParse(values);
  const where = (path: Path): string =>
    fromEnvironment.get(path.join('.')) ?? file?.where(path) ?? variableFor(keys, path);
  for (const issue of parsed.error?.issues ?? []) {
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) {
        const path = [...issue.path, key];
        problems.push(
          `${where(path)}: unknown key \`${path.join('.')}\`${suggestion(key, keysAt(spec.schema, issue.path))}`,
        );
      }
    } else problems.push(`${where(issue.path)}: \`${issue.path.join('.')}\`${complaint(issue, values)}`);
  }
  if (problems.length > 0) throw new SettingsProblems(problems);
  return deepFreeze(parsed.data as z.output<Schema>);
}

interface SettingsFile {
  readonly values: Record<string, unknown>;
  /** File and line of a key. */
  where(path: Path): string;
}

/** @returns undefined when it cannot be used; the problems say why */
function readFile(file: string, problems: string[]): SettingsFile | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    problems.push(`${file}: cannot be read (${(error as NodeJS.ErrnoException).code})`);
    return undefined;
  }
  if (text.length > LARGEST_FILE) {
    problems.push(`${file}: larger than ${LARGEST_FILE} bytes`);
    return undefined;
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false });
  for (const error of document.errors) problems.push(`${file}:${lines.linePos(error.pos[0]).line}: ${error.message}`);
  if (document.errors.length > 0) return undefined;
  if (document.contents !== null && !isMap(document.contents)) {
    problems.push(`${file}:1: the file must be a map of keys`);
    return undefined;
  }
  const values = valuesIn(document);
  if (!values) {
    problems.push(`${file}: its references (\`*name\`) would expand without bounds`);
    return undefined;
  }
  return { values, where: (path) => `${file}:${lineOf(document, lines, path)}` };
}

function valuesIn(document: Document): Record<string, unknown> | undefined {
  try {
    return (document.toJS({ maxAliasCount: 20 }) ?? {}) as Record<string, unknown>;
  } catch (error) {
    // Thrown by `yaml` when a few aliases would become a great many values.
    if (error instanceof ReferenceError) return undefined;
    throw error;
  }
}

/** The line of a key, or of the nearest thing around it that is in the file. */
function lineOf(document: Document, lines: LineCounter, path: Path): number {
  for (let length = path.length; length > 0; length--) {
    const parent: unknown = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
    const last = path[length - 1];
    const pair = isMap(parent)
      ? parent.items.find((item) => String((item.key as { value?: unknown })?.value) === String(last))
      : undefined;
    const node = (pair?.key ?? document.getIn(path.slice(0, length), true)) as
      | { range?: readonly number[] }
      | undefined;
    if (node?.range) return lines.linePos(node.range[0]!).line;
  }
  return 1;
}

/** @returns where each path that came from the environment came from */
function applyEnvironment(
  prefix: string,
  keys: readonly SettingsKey[],
  environment: SettingsSource['environment'],
  values: Record<string, unknown>,
  problems: string[],
): Map<string, string> {
  const origins = new Map<string, string>();
  for (const [variable, text] of Object.entries(environment)) {
    if (text === undefined || !variable.startsWith(`${prefix}__`)) continue;
    const key = keys.find((candidate) => candidate.variable === variable);
    if (!key) {
      problems.push(`environment ${variable}: no setting has this variable`);
      continue;
    }
    origins.set(key.path.join('.'), `environment ${variable}`);
    try {
      putIn(values, key.path, fromText(text, key.kind));
    } catch {
      problems.push(`environment ${variable}: not valid JSON`);
    }
  }
  return origins;
}

function fromText(text: string, kind: SettingsKey['kind']): unknown {
  if (kind === 'number') return text.trim() === '' ? text : Number(text);
  if (kind === 'boolean') return text === 'true' ? true : text === 'false' ? false : text;
  if (kind === 'texts')
    return text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '');
  return kind === 'json' ? JSON.parse(text) : text;
}

function putIn(values: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let at = values;
  for (const key of path.slice(0, -1)) {
    const next = at[key];
    const inner = typeof next === 'object' && next !== null ? (next as Record<string, unknown>) : {};
    at[key] = inner;
    at = inner;
  }
  at[path.at(-1)!] = value;
}

function variableFor(keys: readonly SettingsKey[], path: Path): string {
  const key = keys.find((candidate) => candidate.path.join('.') === path.join('.'));
  return key ? `environment ${key.variable}` : 'configuration';
}

/** A required value that is not there is no wrong type: zod would say that it received `undefined`. */
function complaint({ code, message, path }: z.core.$ZodIssue, values: Record<string, unknown>): string {
  const isMissing = code !== 'custom' && path.length > 0 && valueAt(values, path) === undefined;
  return isMissing ? ' is missing' : `: ${message}`;
}

function valueAt(values: unknown, path: Path): unknown {
  return path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | null | undefined)?.[key], values);
}

function suggestion(unknown: string, known: readonly string[]): string {
  return meant(unknown, known) || (known.length === 0 ? '' : `; known here: ${known.join(', ')}`);
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}
