/**
 * The keys inside lists of objects, such as `inbound[].listen`, as Markdown tables. They have no variable of their
 * own (a list is one variable, in JSON), so they do not stand in the table of all keys. Pure.
 */
import { z } from 'zod';
import { type SettingsSpec, settingsKeys } from '../shared/config/settings.ts';

interface ListOfObjects {
  readonly path: string;
  readonly element: z.ZodObject;
}

/** One table per list of objects, in the order of the settings; nothing for a program without such lists. */
export function listTables({ prefix, schema }: SettingsSpec<z.ZodObject>): string[] {
  return listsIn(schema, []).flatMap(({ path, element }) => [
    `Each entry of \`${path}\`:`,
    ['| key | default | what it is |', '|---|---|---|', ...rowsOf({ prefix, schema: element }, path)].join('\n'),
  ]);
}

function rowsOf(spec: SettingsSpec<z.ZodObject>, path: string): string[] {
  return settingsKeys(spec).map(({ path: inner, description, default: value }) => {
    const shown = value === undefined ? '' : `\`${JSON.stringify(value)}\``;
    const required = spec.schema.shape[inner[0]!]!.safeParse(undefined).success ? '' : '**required**';
    return `| \`${path}[].${inner.join('.')}\` | ${shown || required} | ${asMarkdown(description)} |`;
  });
}

/** A bar would end the cell, and `<directory>` would be taken for HTML and vanish. */
function asMarkdown(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
}

function listsIn(schema: z.ZodType, path: readonly string[]): ListOfObjects[] {
  const bare = unwrapped(schema);
  if (bare instanceof z.ZodArray) {
    const element = unwrapped(bare.element as z.ZodType);
    return element instanceof z.ZodObject ? [{ path: path.join('.'), element }] : [];
  }
  if (!(bare instanceof z.ZodObject)) return [];
  return Object.entries<z.ZodType>(bare.shape).flatMap(([key, inner]) => listsIn(inner, [...path, key]));
}

/** What is inside of optional and default. */
function unwrapped(schema: z.ZodType): z.ZodType {
  const wrapped = schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault;
  return wrapped ? unwrapped(schema.unwrap() as z.ZodType) : schema;
}
