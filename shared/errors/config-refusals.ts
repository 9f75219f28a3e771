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
  address_unusable: {
    status: 500,
    message: 'An address that should be listened on cannot be used.',
    help: 'Ports below 1024 need a privilege; the address must belong to this machine.',
  },
  internal_failure: {
    status: 500,
    message: 'The program failed unexpectedly.',
    help: 'This is a defect; please report it with the last lines of the log.',
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
  authority_key_unsupported: {
    status: 500,
    message: 'The key of an authority certificate is of a kind or size that is not accepted.',
    help: 'Authorities sign with ECDSA P-256 or P-384, or with RSA from 2048 to 8192 bits.',
  },
  authority_trust_domain_mismatch: {
    status: 500,
    message: 'The authority belongs to another trust domain than the configured one.',
    help: 'Compare `trustDomain` with the SPIFFE ID and name constraints that `citadel inspect ca-cert.pem` shows.',
  },
  authority_not_writable: {
    status: 500,
    message: 'A new authority cannot be created, because its folder cannot be written.',
    help: 'Give citadel a folder that it may write, or put the files of an existing authority there.',
  },
  authority_locked: {
    status: 500,
    message: 'Another process is creating or renewing the authority in this folder.',
    help: 'It takes a second at most. If it lasts, find the process that holds authority.lock with `fuser`.',
  },
  journal_malformed: {
    status: 500,
    message: 'The issuance journal is damaged, or the file is no journal of this citadel.',
    help: 'Keep the file for examination, put a backup in its place or move it away, and start again.',
  },
} as const satisfies Record<string, RefusalEntry>;
