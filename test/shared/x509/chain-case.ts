/**
 * One row of the tables of chains: good, or with exactly one fault and the code that we refuse it with. The
 * tables are read twice: that we decide so, and that independent implementations decide alike where they know the rule.
 */
import type { RefusalCode } from '../../../shared/errors/refusal.ts';
import type { Chain } from './chains.ts';

export interface ChainCase {
  readonly name: string;
  /** Undefined: accepted. */
  readonly code?: RefusalCode;
  /** Oracles that do not know the rule. */
  readonly silent?: readonly ('openssl' | 'pkijs' | 'peculiar')[];
  readonly make: () => Chain;
}

export const NO_ORACLE = ['openssl', 'pkijs', 'peculiar'] as const;
/** @peculiar/x509 checks signatures and dates only. */
export const SIGNATURES_ONLY = ['peculiar'] as const;
/** pkijs does not know path lengths, unknown critical extensions and purposes. */
export const OPENSSL_ONLY = ['pkijs', 'peculiar'] as const;
