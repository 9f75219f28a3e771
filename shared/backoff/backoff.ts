/**
 * How long to wait before the next try: exponential, capped, fully jittered, without end.
 * Pure: the caller keeps the count of failures and draws the chance.
 */

export interface BackoffLimits {
  /** Milliseconds: the widest wait after the first failure. */
  readonly firstMs: number;
  /** Milliseconds: no wait is longer. */
  readonly capMs: number;
}

/**
 * @param failures how many tries have failed in a row, at least 1
 * @param draw uniform in [0, 1)
 * @returns milliseconds, between half and the whole of the exponential step: never zero, so a dead peer is not hammered
 */
export function backoffDelay(failures: number, draw: number, { firstMs, capMs }: BackoffLimits): number {
  const step = Math.min(capMs, firstMs * 2 ** Math.min(failures - 1, 30));
  return step * (0.5 + 0.5 * draw);
}
