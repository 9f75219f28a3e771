/**
 * Checks over several settings at once. They run also while some single values are wrong, so that one start tells
 * every problem; a check asks which values it can believe and keeps quiet about the others.
 */
import type { z } from 'zod';

type Path = readonly PropertyKey[];

export interface Findings {
  /** Whether the value at this path, or one around it, is wrong by itself: it has been reported and may be of any type. */
  isWrong(path: Path): boolean;
  report(path: Path, message: string): void;
}

export type CrossCheck<Settings> = (settings: Settings, findings: Findings) => void;

/** A rule that knows the few keys it looks at: `limits.headerSeconds`. */
export interface CrossRule<Settings> {
  readonly reads: readonly string[];
  /** The key to change. */
  readonly blames: string;
  readonly holds: (settings: Settings) => boolean;
  readonly message: string;
}

/** The schema with the check behind the checks of single values. */
export function withCrossCheck<Schema extends z.ZodObject>(
  schema: Schema,
  check: CrossCheck<z.output<Schema>>,
): Schema {
  return schema.superRefine(
    (settings, context) => {
      // Unknown keys stand beside the values of an object and make none of them wrong.
      const wrong = context.issues.flatMap(({ code, path = [] }) => (code === 'unrecognized_keys' ? [] : [path]));
      check(settings, {
        isWrong: (path) => wrong.some((one) => one.every((part, at) => part === path[at])),
        report: (path, message) => context.addIssue({ code: 'custom', path: [...path], message }),
      });
    },
    { when: () => true },
  );
}

/** Reports every broken rule whose keys are all right by themselves. */
export function ruleCheck<Settings>(rules: readonly CrossRule<Settings>[]): CrossCheck<Settings> {
  return (settings, { isWrong, report }) => {
    for (const { reads, blames, holds, message } of rules) {
      if (reads.some((key) => isWrong(key.split('.')))) continue;
      if (!holds(settings)) report(blames.split('.'), message);
    }
  };
}
