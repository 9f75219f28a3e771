/** The command line of the sidecar, as data: help text, parser and docs derive from it. Nothing runs here. */
import type { Command, Program } from '../../shared/cli/command-line.ts';

const COMMANDS: readonly Command[] = [
  {
    name: 'run',
    summary: 'Carry traffic for the app beside it, with an identity from citadel, until SIGTERM.',
    flags: [
      {
        name: 'config',
        short: 'c',
        value: 'FILE',
        help: 'Configuration in YAML. Default: built-in values and the environment.',
      },
      { name: 'workers', value: 'N', help: 'Threads that carry traffic. Default: `workers` of the configuration.' },
      { name: 'print-config', help: 'Print the configuration in effect, secrets removed, and exit.' },
    ],
    exits: ['config', 'address', 'drainCut'],
    notes: [
      'Every key has an environment variable, for example SIDECAR__LOG__LEVEL for log.level. docs/configuration.md lists them.',
      'SIGTERM and SIGINT drain and end. SIGHUP reads log.level again and fetches a new certificate.',
    ],
  },
];

export const SIDECAR: Program = {
  name: 'sidecar',
  summary: 'the gate beside an app: mutual TLS outside, plaintext on loopback inside.',
  commands: COMMANDS,
};
