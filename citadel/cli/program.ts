/** The command line of citadel, as data: help text, parser and docs derive from it. Nothing runs here. */
import type { Command, Program } from '../../shared/cli/command-line.ts';

const CONFIG = {
  name: 'config',
  short: 'c',
  value: 'FILE',
  help: 'Configuration in YAML. Default: built-in values and the environment.',
};
const PRINT_CONFIG = { name: 'print-config', help: 'Print the configuration in effect, secrets removed, and exit.' };
const JSON_OUTPUT = { name: 'json', help: 'Print the result as JSON.' };
const TRUST = {
  name: 'trust',
  value: 'ROOTS',
  help: 'Also verify the chain in FILE against these roots, by two verifiers.',
};
const ENVIRONMENT =
  'Every key has an environment variable, for example CITADEL__LOG__LEVEL for log.level. docs/configuration.md lists them.';

const COMMANDS: readonly Command[] = [
  {
    name: 'serve',
    summary: 'Issue certificates: run the API until SIGTERM.',
    flags: [CONFIG, PRINT_CONFIG],
    exits: ['config', 'authority', 'address', 'drainCut'],
    notes: [
      ENVIRONMENT,
      'SIGTERM and SIGINT finish what is in flight and end. SIGHUP reads log.level and the files of the authority again.',
    ],
  },
  {
    name: 'init',
    summary: 'Create the authority (root and intermediate) in its folder, without serving.',
    flags: [CONFIG, PRINT_CONFIG, JSON_OUTPUT],
    exits: ['config', 'authority'],
    notes: [
      ENVIRONMENT,
      'What exists is checked and kept, never overwritten. `citadel serve` does the same at its first start.',
    ],
  },
  {
    name: 'inspect',
    summary: 'Show the certificates, CSR or bundle in a file, and what is wrong with them.',
    operands: ['FILE'],
    flags: [TRUST, JSON_OUTPUT],
    exits: ['findings'],
    notes: [
      'FILE may be PEM, DER, a SPIFFE bundle or an answer of POST /v1/certificates. Of a private key the kind is shown only.',
    ],
  },
  {
    name: 'dev-issuer',
    summary: 'UNSAFE outside development: issue service account tokens for local workloads.',
    flags: [CONFIG, PRINT_CONFIG],
    exits: ['config', 'authority', 'address'],
    notes: ['It stands in for Kubernetes on a laptop. Anybody who can read its folder is every workload.'],
  },
];

export const CITADEL: Program = {
  name: 'citadel',
  summary: 'the certificate authority of Sallyport: service account token in, SPIFFE certificate out.',
  commands: COMMANDS,
};
