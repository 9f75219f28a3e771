/**
 * What the sidecar still lacks to carry traffic, as a list that an operator can read. Asked at every probe and never
 * cached, so that an expired certificate shows at once. Liveness is another matter: it depends on nothing.
 */
import type { Clock } from '../../shared/clock/clock.ts';
import type { Identity, Trust } from '../identity/identity.ts';

export interface Missing {
  /** `identity`, `trust`, `listeners` or `draining`. */
  readonly what: string;
  readonly why: string;
}

/** @returns why it is missing; undefined when it is there */
export type Condition = () => string | undefined;

export class Readiness {
  readonly #conditions: Readonly<Record<string, Condition>>;
  #draining = false;

  constructor(conditions: Readonly<Record<string, Condition>>) {
    this.#conditions = conditions;
  }

  /** Never ready again from now on. */
  drain(): void {
    this.#draining = true;
  }

  missing(): Missing[] {
    const missing: Missing[] = this.#draining ? [{ what: 'draining', why: 'the sidecar is shutting down' }] : [];
    for (const [what, condition] of Object.entries(this.#conditions)) {
      const why = condition();
      if (why !== undefined) missing.push({ what, why });
    }
    return missing;
  }
}

/** What readiness needs to know of the identity. */
export interface IdentityView {
  readonly identity: Identity | undefined;
  readonly trust: Trust | undefined;
}

/** @param lastCode why the newest try failed, if it did */
export function identityCondition(store: IdentityView, clock: Clock, lastCode: () => string | undefined): Condition {
  return () => {
    const { identity } = store;
    const code = lastCode();
    const cause = code === undefined ? '' : `; the last try to get one ended with ${code}`;
    if (!identity) return `no certificate yet${cause}`;
    if (identity.notAfter > clock.now()) return undefined;
    return `the certificate expired at ${new Date(identity.notAfter).toISOString()}${cause}`;
  };
}

export function trustCondition(store: IdentityView): Condition {
  return () =>
    store.trust && store.trust.caPem.length === 0 ? 'the trust bundle is empty: no peer is trusted' : undefined;
}

/** @param plane tells which of its ports are not open */
export function listenersCondition(plane: { closedPorts(): readonly string[] }): Condition {
  return () => {
    const closed = plane.closedPorts();
    return closed.length === 0 ? undefined : `not open: ${closed.join(', ')}`;
  };
}
