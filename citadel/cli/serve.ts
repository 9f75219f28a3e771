/** `citadel serve`: settings, start, signals, end. What it starts is wired in compose.ts. */
import type { Runner } from '../../shared/cli/run-program.ts';
import { systemClock, systemRandomness } from '../../shared/clock/clock.ts';
import { loadSettings } from '../../shared/config/load-settings.ts';
import { printSettings } from '../../shared/config/print-settings.ts';
import { asRefusal } from '../../shared/errors/refusal.ts';
import { createLog, type ProgramLog } from '../../shared/log/log.ts';
import { exitOnCrash } from '../../shared/process/crash.ts';
import { EXIT } from '../../shared/process/exit-codes.ts';
import { onSignals } from '../../shared/process/signals.ts';
import { type Citadel, startCitadel } from '../compose.ts';
import { CITADEL_SETTINGS, type CitadelSettings } from '../config.ts';

export const serve: Runner = async ({ flags, terminal }) => {
  const file = flags.text('config');
  const read = (): CitadelSettings =>
    loadSettings(CITADEL_SETTINGS, { ...(file === undefined ? {} : { file }), environment: process.env });
  const settings = read();
  if (flags.has('print-config')) {
    terminal.out(printSettings(CITADEL_SETTINGS, settings));
    return EXIT.ok.code;
  }
  const log = createLog({ program: 'citadel', ...settings.log });
  exitOnCrash(log);
  // Before anything is started: a signal that comes early is kept, not fatal.
  let citadel: Citadel | undefined;
  const terminated = new Promise((resolve) => {
    onSignals(
      { terminate: resolve, hurry: () => citadel?.hurry() ?? false, reload: () => reload(read, citadel, log) },
      systemClock,
    );
  });
  citadel = await startCitadel(settings, {
    clock: systemClock,
    randomness: systemRandomness,
    environment: process.env,
    log,
  });
  log.info('stopping', { signal: await terminated, ...settings.shutdown });
  const clean = await citadel.stop();
  log.info('stopped', { clean });
  return clean ? EXIT.ok.code : EXIT.drainCut.code;
};

/** What can change without a restart: the level of the log and the files of the authority. */
function reload(read: () => CitadelSettings, citadel: Citadel | undefined, log: ProgramLog): void {
  try {
    const { level } = read().log;
    log.setLevel(level);
    citadel?.reload();
    log.info('reloaded', { logLevel: level });
  } catch (error) {
    const { code, detail } = asRefusal(error, 'internal_failure');
    log.error('reload_failed', { code, detail });
  }
}
