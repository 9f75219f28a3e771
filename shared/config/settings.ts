/**
 * The shape of a program's settings: a zod object whose leaves carry a description, a default and, where one
 * leaks, `secret`. File keys, environment variables, docs table and printed configuration all derive from it.
 */
import type { z } from 'zod';

export interface SettingsSpec<Schema extends z.ZodObject> {
  /** `CITADEL` or `SIDECAR`: the variable of `limits.bodyBytes` is then `CITADEL__LIMITS__BODY_BYTES`. */
  readonly prefix: string;
  readonly schema: Schema;
}

/** One leaf of the settings. */
export interface SettingsKey {
  /** Path in the file: `limits.bodyBytes`. */
  readonly path: readonly string[];
  readonly variable: string;
  readonly description: string;
  readonly default: unknown;
  readonly secret: boolean;
  /** How the text of a variable becomes a value. */
  readonly kind: 'text' | 'number' | 'boolean' | 'texts' | 'json';
}

interface Definition {
  type: string;
  innerType?: z.ZodType;
  defaultValue?: unknown;
  element?: z.ZodType;
  shape?: Record<string, z.ZodType>;
}

/**
 * Every leaf of a schema, in file order. Two underscores separate the levels of a variable: Kubernetes puts
 * variables like `CITADEL_SERVICE_HOST` into every pod beside a Service, and those must not look like ours.
 */
export function settingsKeys({ prefix, schema }: SettingsSpec<z.ZodObject>): SettingsKey[] {
  return leaves(schema, []).map(({ path, schema: leaf }) => {
    const meta = metaOf(leaf);
    return {
      path,
      variable: [prefix, ...path.map(upperSnake)].join('__'),
      description: String(meta['description'] ?? ''),
      secret: meta['secret'] === true,
      default: defaultOf(leaf),
      kind: kindOf(unwrapped(leaf)),
    };
  });
}

/** The names that an object of the settings may have, also of one inside a list. */
export function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  const { shape, element } = definition(unwrapped(schema));
  const [key, ...rest] = path;
  if (key === undefined) return Object.keys(shape ?? {});
  const inner = typeof key === 'number' ? element : shape?.[String(key)];
  return inner ? keysAt(inner, rest) : [];
}

function leaves(schema: z.ZodType, path: readonly string[]): { path: readonly string[]; schema: z.ZodType }[] {
  const { type, shape } = definition(unwrapped(schema));
  if (type !== 'object' || !shape) return [{ path, schema }];
  return Object.entries(shape).flatMap(([key, inner]) => leaves(inner, [...path, key]));
}

function definition(schema: z.ZodType): Definition {
  return schema.def as unknown as Definition;
}

function unwrapped(schema: z.ZodType): z.ZodType {
  const inner = definition(schema).innerType;
  return inner ? unwrapped(inner) : schema;
}

function metaOf(schema: z.ZodType): Record<string, unknown> {
  const own = schema.meta() as Record<string, unknown> | undefined;
  const inner = definition(schema).innerType;
  return { ...(inner ? metaOf(inner) : {}), ...own };
}

function defaultOf(schema: z.ZodType): unknown {
  const { type, defaultValue, innerType } = definition(schema);
  if (type === 'default' || type === 'prefault') return defaultValue;
  return innerType ? defaultOf(innerType) : undefined;
}

function kindOf(schema: z.ZodType): SettingsKey['kind'] {
  const { type, element } = definition(schema);
  if (type === 'number' || type === 'int') return 'number';
  if (type === 'boolean') return 'boolean';
  if (type === 'array') return element && definition(unwrapped(element)).type === 'string' ? 'texts' : 'json';
  return type === 'string' || type === 'enum' || type === 'literal' ? 'text' : 'json';
}

function upperSnake(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}
