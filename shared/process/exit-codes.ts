/** The exit codes of both programs, as `--help` and the docs list them. */
export const EXIT = {
  ok: { code: 0, meaning: 'done, or stopped in order after SIGTERM or SIGINT' },
  failed: { code: 1, meaning: 'an unexpected failure; the last log line says what' },
  usage: { code: 2, meaning: 'the command line is not valid' },
  config: { code: 3, meaning: 'the configuration is not valid; every problem was printed' },
  authority: { code: 4, meaning: 'the files of the authority are missing, damaged, expired or readable by others' },
  address: { code: 5, meaning: 'a port is taken or may not be opened' },
  drainCut: { code: 6, meaning: 'stopped, but connections were cut after the drain time' },
} as const;
