/** What citadel still lacks to do its work, as a list that an operator can read. Asked at every probe, never cached. */

export interface Missing {
  /** `authority`, `journal`, `attestation`, `draining` … */
  readonly what: string;
  readonly why: string;
}

/** @returns why it is missing; undefined when it is there */
export type ReadinessCheck = () => string | undefined;

export class Readiness {
  readonly #checks: Readonly<Record<string, ReadinessCheck>>;
  #draining = false;

  constructor(checks: Readonly<Record<string, ReadinessCheck>>) {
    this.#checks = checks;
  }

  /** Never ready again from now on. */
  drain(): void {
    this.#draining = true;
  }

  missing(): Missing[] {
    const missing: Missing[] = this.#draining ? [{ what: 'draining', why: 'citadel is shutting down' }] : [];
    for (const [what, check] of Object.entries(this.#checks)) {
      const why = check();
      if (why !== undefined) missing.push({ what, why });
    }
    return missing;
  }
}
