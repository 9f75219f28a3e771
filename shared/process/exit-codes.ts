/** The exit codes of both programs, as `--help` and the docs list them, and which refusal ends in which. */
import { Refusal, type RefusalCode } from '../errors/refusal.ts';

export const EXIT = {
  ok: { code: 0, meaning: 'done, or stopped in order after SIGTERM or SIGINT' },
  failed: { code: 1, meaning: 'an unexpected failure; the last log line says what' },
  usage: { code: 2, meaning: 'the command line is not valid' },
  config: { code: 3, meaning: 'the configuration is not valid; every problem was printed' },
  authority: { code: 4, meaning: 'the files of the authority are missing, damaged, expired or readable by others' },
  address: { code: 5, meaning: 'a port is taken or may not be opened' },
  drainCut: { code: 6, meaning: 'stopped, but connections were cut after the drain time' },
  findings: { code: 7, meaning: '`inspect` found something wrong in the file' },
} as const;

export type Exit = keyof typeof EXIT;

const BY_CODE: Partial<Record<RefusalCode, Exit>> = {
  usage_invalid: 'usage',
  config_invalid: 'config',
  address_in_use: 'address',
  address_unusable: 'address',
  file_permissions_open: 'authority',
};

/** The exit code for what ended a program. */
export function exitCodeOf(thrown: unknown): number {
  if (!(thrown instanceof Refusal)) return EXIT.failed.code;
  const kind = BY_CODE[thrown.code] ?? (thrown.code.startsWith('authority_') ? 'authority' : 'failed');
  return EXIT[kind].code;
}
