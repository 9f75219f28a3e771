/**
 * The last line of a program that fails where nobody expected it: one log event, then exit code 1. Going on
 * after an unknown failure could leave a half-changed state behind, so it never does.
 */
import type { Log } from '../log/log.ts';
import { EXIT } from './exit-codes.ts';

export function exitOnCrash(log: Log): void {
  process.on('uncaughtException', (error, origin) => {
    log.error('crashed', { origin, error: describe(error) });
    process.exit(EXIT.failed.code);
  });
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? `${error.name}: ${error.message}`) : String(error);
}
