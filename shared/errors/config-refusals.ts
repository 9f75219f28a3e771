/** Why a program does not start: configuration, files, the authority. Part of the one table in refusal.ts. */
import type { RefusalEntry } from './refusal.ts';

export const CONFIG_REFUSALS = {
  config_invalid: {
    status: 500,
    message: 'The configuration is not valid.',
    help: 'Every problem is listed with the line or variable to fix. docs/configuration.md lists all keys.',
  },
  usage_invalid: {
    status: 500,
    message: 'The command line is not valid.',
    help: 'See `--help`.',
  },
  address_in_use: {
    status: 500,
    message: 'A port that should be listened on is taken.',
    help: 'Find the process with `ss -ltnp` and end it, or choose another port.',
  },
  file_unreadable: {
    status: 500,
    message: 'A file cannot be read.',
    help: 'Check path, owner and mode.',
  },
  file_permissions_open: {
    status: 500,
    message: 'A file with a private key can be read by others.',
    help: 'Run `chmod 600` on the file (and `chmod 700` on its folder).',
  },
  authority_incomplete: {
    status: 500,
    message: 'The authority’s folder holds only a part of what an authority is made of.',
    help: 'Expected are ca-cert.pem, ca-key.pem, cert-chain.pem and root-cert.pem. Nothing was created or changed.',
  },
  authority_malformed: {
    status: 500,
    message: 'A file of the authority cannot be read as what its name says.',
    help: 'Try `citadel inspect FILE`.',
  },
  authority_key_mismatch: {
    status: 500,
    message: 'The private key of the authority does not belong to its certificate.',
    help: 'ca-key.pem and the first certificate of ca-cert.pem must be one pair.',
  },
  authority_chain_invalid: {
    status: 500,
    message: 'The chain of the authority does not lead to its root.',
    help: 'cert-chain.pem must lead from ca-cert.pem to a certificate in root-cert.pem; two independent verifiers must agree.',
  },
  authority_not_ca: {
    status: 500,
    message: 'A certificate of the authority may not sign certificates.',
    help: 'Signing certificates need basicConstraints CA:TRUE and critical keyUsage keyCertSign (SPIFFE X509-SVID §4.1, §4.3).',
  },
  authority_out_of_date: {
    status: 500,
    message: 'A certificate of the authority has expired or is not valid yet.',
    help: 'Compare its dates with the clock: `citadel inspect FILE`.',
  },
} as const satisfies Record<string, RefusalEntry>;
