/** `citadel init`: makes sure that there is an authority, and says what was made and what to do next. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Runner } from '../../shared/cli/run-program.ts';
import { systemClock, systemRandomness } from '../../shared/clock/clock.ts';
import { loadSettings } from '../../shared/config/load-settings.ts';
import { printSettings } from '../../shared/config/print-settings.ts';
import { createLog } from '../../shared/log/log.ts';
import { EXIT } from '../../shared/process/exit-codes.ts';
import { type Certificate, readCertificate } from '../../shared/x509/certificate.ts';
import type { Authority } from '../authority/authority.ts';
import { NAMES } from '../authority/authority-files.ts';
import { openAuthority } from '../authority/open-authority.ts';
import { CITADEL_SETTINGS } from '../config.ts';

interface Made {
  readonly directory: string;
  /** False: it was there already, and was checked. */
  readonly created: boolean;
  readonly trustDomain: string;
  readonly files: readonly string[];
  readonly rootFile: string;
  readonly root: Dates;
  readonly signing: Dates;
}

interface Dates {
  readonly serial: string;
  readonly fingerprint: string;
  readonly notAfter: string;
}

export const init: Runner = async ({ flags, terminal }) => {
  const file = flags.text('config');
  const settings = loadSettings(CITADEL_SETTINGS, {
    ...(file === undefined ? {} : { file }),
    environment: process.env,
  });
  if (flags.has('print-config')) {
    terminal.out(printSettings(CITADEL_SETTINGS, settings));
    return EXIT.ok.code;
  }
  const {
    trustDomain,
    authority: { directory },
  } = settings;
  const created = (await filesIn(directory)).length === 0;
  const log = createLog({ program: 'citadel', level: 'warn', format: settings.log.format });
  const keeper = await openAuthority({ directory, trustDomain, clock: systemClock, randomness: systemRandomness, log });
  const made = describe(keeper.current(), { directory, created, trustDomain, files: await filesIn(directory) });
  keeper.close();
  terminal.out(flags.has('json') ? `${JSON.stringify(made, null, 2)}\n` : textOf(made));
  return EXIT.ok.code;
};

function describe(authority: Authority, known: Pick<Made, 'directory' | 'created' | 'trustDomain' | 'files'>): Made {
  return {
    ...known,
    rootFile: join(known.directory, NAMES.roots),
    root: datesOf(readCertificate(authority.bundle.authorities[0]!)),
    signing: datesOf(authority.issuer.certificate),
  };
}

function datesOf({ serial, fingerprint, notAfter }: Certificate): Dates {
  return { serial, fingerprint, notAfter: new Date(notAfter).toISOString() };
}

function textOf({ directory, created, trustDomain, files, rootFile, root, signing }: Made): string {
  return [
    `${created ? 'Created' : 'Checked, nothing changed:'} the authority of trust domain ${trustDomain} in ${directory}`,
    `  root:    serial ${root.serial}, until ${root.notAfter}`,
    `           SHA-256 ${root.fingerprint}`,
    `  signing: serial ${signing.serial}, until ${signing.notAfter}; citadel renews it by itself at half of its life`,
    `  files:   ${files.join(', ')}`,
    '',
    'Next:',
    `  1. Give ${rootFile} to every sidecar as \`citadel.caFile\`: it is public.`,
    `  2. Keep a copy of ${NAMES.rootKey} offline. With the file taken away citadel still issues, but no longer renews its signing certificate.`,
    '  3. Run `citadel serve` with the same configuration.',
    '',
  ].join('\n');
}

async function filesIn(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).filter((name) => name.endsWith('.pem')).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
