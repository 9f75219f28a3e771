/**
 * When to renew, and how patient to be after a failure. The moment is drawn once per certificate, so that sidecars
 * started together do not come back together; redrawing it at every look would narrow the spread.
 * Pure: it knows no clock and no timer.
 */

/** Milliseconds since the Unix epoch. */
export interface Life {
  /** When it was installed. Not `notBefore`: that is backdated, for a short certificate by more than its life. */
  readonly installedAt: number;
  readonly notAfter: number;
}

/** With a certificate that has ended or is about to, a sidecar asks at least this often: milliseconds. */
const URGENT_CAP_MS = 4_000;

/**
 * @param draw uniform in [0, 1), taken when the certificate was installed
 * @returns milliseconds since the Unix epoch, between 40 % and 60 % of the life
 */
export function renewAt({ installedAt, notAfter }: Life, draw: number): number {
  return installedAt + (notAfter - installedAt) * (0.4 + 0.2 * draw);
}

/**
 * The longest wait between two tries: a tenth of the time that is left, so that an outage of citadel costs it little
 * while certificates last, and a sidecar without one is back within seconds of citadel's return.
 *
 * @param leftMs milliseconds until the certificate in use ends; zero or less when there is none
 * @param capMs milliseconds that are never exceeded
 */
export function retryCapMs(leftMs: number, capMs: number): number {
  return Math.min(capMs, Math.max(URGENT_CAP_MS, leftMs / 10));
}
