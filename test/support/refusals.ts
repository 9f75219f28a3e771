/** How a test looks at a refusal: by its code, with what was thrown instead when it is none. */
import { Refusal, type RefusalCode } from '../../shared/errors/refusal.ts';

/** @throws when nothing was refused, or something other than a refusal was thrown */
export async function refusalOf(attempt: Promise<unknown> | (() => unknown)): Promise<Refusal> {
  let outcome: unknown;
  try {
    outcome = await (typeof attempt === 'function' ? attempt() : attempt);
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error(`expected a refusal, got ${JSON.stringify(outcome)}`);
}

export async function refusalCodeOf(attempt: Promise<unknown> | (() => unknown)): Promise<RefusalCode> {
  return (await refusalOf(attempt)).code;
}

/** For tables of cases, good ones among them: the code, or `accepted` when nothing was thrown. */
export function verdictOn(run: () => unknown): RefusalCode | 'accepted' {
  try {
    run();
    return 'accepted';
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
}
