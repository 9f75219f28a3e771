/** The effective configuration as YAML that can be fed back in, secrets redacted; and the docs table of all keys. */
import { stringify } from 'yaml';
import type { z } from 'zod';
import { type SettingsSpec, settingsKeys } from './settings.ts';

export function printSettings(spec: SettingsSpec<z.ZodObject>, settings: object): string {
  const shown = structuredClone(settings) as Record<string, unknown>;
  for (const { path, secret } of settingsKeys(spec)) {
    if (secret) redact(shown, path);
  }
  return stringify(shown);
}

/** A Markdown table of every key: generated into docs, checked in CI. */
export function settingsTable(spec: SettingsSpec<z.ZodObject>): string {
  const rows = settingsKeys(spec).map(
    ({ path, variable, description, default: value }) =>
      `| \`${path.join('.')}\` | \`${variable}\` | ${value === undefined ? '' : `\`${JSON.stringify(value)}\``} | ${description.replaceAll('|', '\\|')} |`,
  );
  return ['| key | variable | default | what it is |', '|---|---|---|---|', ...rows].join('\n');
}

function redact(values: Record<string, unknown>, path: readonly string[]): void {
  const [key, ...rest] = path as [string, ...string[]];
  const value = values[key];
  if (rest.length === 0) {
    if (value !== undefined && value !== '') values[key] = '[redacted]';
  } else if (typeof value === 'object' && value !== null) redact(value as Record<string, unknown>, rest);
}
