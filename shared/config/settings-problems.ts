/** A configuration that cannot be used. On its own, so that a program can recognise it without loading YAML and zod. */
import { Refusal } from '../errors/refusal.ts';

/** Every problem of a configuration, one line each, ready to print. */
export class SettingsProblems extends Refusal {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super('config_invalid', problems.join('; '));
    this.problems = problems;
  }
}
