/** `citadel dev-issuer`: tokens for local workloads until SIGTERM. What it does is in dev-issuer/. */
import type { Runner } from '../../shared/cli/run-program.ts';
import { systemClock, systemRandomness } from '../../shared/clock/clock.ts';
import { loadSettings } from '../../shared/config/load-settings.ts';
import { printSettings } from '../../shared/config/print-settings.ts';
import { createLog } from '../../shared/log/log.ts';
import { exitOnCrash } from '../../shared/process/crash.ts';
import { EXIT } from '../../shared/process/exit-codes.ts';
import { onSignals } from '../../shared/process/signals.ts';
import { devIssuerSpec } from '../dev-issuer/settings.ts';
import { startDevIssuer } from '../dev-issuer/start-dev-issuer.ts';

export const devIssuer: Runner = async ({ flags, terminal }) => {
  const file = flags.text('config');
  const settings = loadSettings(devIssuerSpec, { ...(file === undefined ? {} : { file }), environment: process.env });
  if (flags.has('print-config')) {
    terminal.out(printSettings(devIssuerSpec, settings));
    return EXIT.ok.code;
  }
  const log = createLog({ program: 'dev-issuer', ...settings.log });
  exitOnCrash(log);
  // Before anything is started: a signal that comes early is kept, not fatal.
  const terminated = new Promise((resolve) => {
    onSignals(
      { terminate: resolve, reload: () => log.info('reload_ignored', { reason: 'nothing here is read again' }) },
      systemClock,
    );
  });
  const running = await startDevIssuer(settings, { clock: systemClock, randomness: systemRandomness, log });
  log.info('stopping', { signal: await terminated });
  await running.close();
  return EXIT.ok.code;
};
