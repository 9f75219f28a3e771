/**
 * Every way to say no, joined from one table per subject. The code is at once the answer's `code`, the log
 * field, the metric label and the anchor in docs/errors.md. A message is safe to show to a caller; a detail
 * is for our own log. Neither ever holds a token, a key or a PEM.
 */
import { CONFIG_REFUSALS } from './config-refusals.ts';
import { CSR_REFUSALS } from './csr-refusals.ts';
import { ISSUANCE_REFUSALS } from './issuance-refusals.ts';
import { PEER_REFUSALS } from './peer-refusals.ts';
import { RELAY_REFUSALS } from './relay-refusals.ts';
import { TOKEN_REFUSALS } from './token-refusals.ts';
import { TUNNEL_REFUSALS } from './tunnel-refusals.ts';

/** One row of the table. */
export interface RefusalEntry {
  /** HTTP status of the answer that carries it. */
  readonly status: number;
  /** One sentence that a caller may read. */
  readonly message: string;
  /** What to do about it, for the docs. */
  readonly help: string;
}

export const REFUSALS = {
  ...TOKEN_REFUSALS,
  ...CSR_REFUSALS,
  ...ISSUANCE_REFUSALS,
  ...PEER_REFUSALS,
  ...RELAY_REFUSALS,
  ...TUNNEL_REFUSALS,
  ...CONFIG_REFUSALS,
} as const satisfies Record<string, RefusalEntry>;

export type RefusalCode = keyof typeof REFUSALS;

export interface RefusalOptions {
  /** For our own log only. */
  readonly detail?: string;
  /** Seconds after which the caller may come back; becomes Retry-After. */
  readonly retryAfterSeconds?: number;
  readonly cause?: unknown;
}

/** A refusal that a caller may see: `message` comes from the table, `detail` stays with us. */
export class Refusal extends Error {
  readonly code: RefusalCode;
  readonly status: number;
  readonly detail: string;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: RefusalCode, options: string | RefusalOptions = {}) {
    const { detail = '', retryAfterSeconds, cause } = typeof options === 'string' ? { detail: options } : options;
    super(REFUSALS[code].message, cause === undefined ? undefined : { cause });
    this.name = 'Refusal';
    this.code = code;
    this.status = REFUSALS[code].status;
    this.detail = detail;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

export function isRefusalCode(text: string): text is RefusalCode {
  return Object.hasOwn(REFUSALS, text);
}

/** Whatever was thrown, as a refusal: what is not one already becomes `fallback`, its text kept as detail. */
export function asRefusal(thrown: unknown, fallback: RefusalCode): Refusal {
  if (thrown instanceof Refusal) return thrown;
  const detail = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  return new Refusal(fallback, { detail, cause: thrown });
}
