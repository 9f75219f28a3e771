/** `sidecar run`: settings, start, signals, end. What it starts is wired in compose.ts. */
import type { Runner } from '../../shared/cli/run-program.ts';
import { systemClock, systemRandomness } from '../../shared/clock/clock.ts';
import { loadSettings } from '../../shared/config/load-settings.ts';
import { asRefusal } from '../../shared/errors/refusal.ts';
import { createLog, type ProgramLog } from '../../shared/log/log.ts';
import { exitOnCrash } from '../../shared/process/crash.ts';
import { EXIT } from '../../shared/process/exit-codes.ts';
import { onSignals } from '../../shared/process/signals.ts';
import { type Sidecar, startSidecar } from '../compose.ts';
import { SIDECAR_SETTINGS, type SidecarSettings } from '../config.ts';
import { releaseMemoryAfterStart } from '../lifecycle/release-memory.ts';

export const run: Runner = async ({ flags, terminal }) => {
  const file = flags.text('config');
  const workers = flags.text('workers');
  // The flag is the variable by another name: one way of checking, one message when it is wrong.
  const environment = workers === undefined ? process.env : { ...process.env, SIDECAR__WORKERS: workers };
  const read = (): SidecarSettings =>
    loadSettings(SIDECAR_SETTINGS, { ...(file === undefined ? {} : { file }), environment });
  const settings = read();
  if (flags.has('print-config')) {
    const { printSettings } = await import('../../shared/config/print-settings.ts');
    terminal.out(printSettings(SIDECAR_SETTINGS, settings));
    return EXIT.ok.code;
  }
  const log = createLog({ program: 'sidecar', ...settings.log });
  exitOnCrash(log);
  // Listened to before the start: a SIGTERM while ports are being opened must not kill without a word.
  let sidecar: Sidecar | undefined;
  const terminated = new Promise<NodeJS.Signals>((resolve) => {
    onSignals({ terminate: resolve, reload: () => reload(read, sidecar, log) }, systemClock);
  });
  sidecar = await startSidecar(settings, { clock: systemClock, randomness: systemRandomness, log });
  releaseMemoryAfterStart(systemClock);
  log.info('stopping', { signal: await terminated });
  const clean = await sidecar.stop();
  log.info('stopped', { clean });
  return clean ? EXIT.ok.code : EXIT.drainCut.code;
};

/** What can change without a restart: the level of the log; and a new certificate is fetched, with what the files hold now. */
function reload(read: () => SidecarSettings, sidecar: Sidecar | undefined, log: ProgramLog): void {
  sidecar?.reload();
  try {
    const { level } = read().log;
    sidecar?.setLogLevel(level);
    log.info('reloaded', { logLevel: level });
  } catch (error) {
    const { code, detail } = asRefusal(error, 'internal_failure');
    log.error('reload_failed', { code, detail });
  }
}
