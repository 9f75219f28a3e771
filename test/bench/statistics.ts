/** Medians and ratios of a few runs. All runs are kept; none is dropped. */

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** @param q in [0, 1] */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

/**
 * The median of the ratios round by round: rounds alternate, so a machine that slows down for one round slows both
 * sides of that round's ratio.
 */
export function ratioByRound(values: readonly number[], base: readonly number[]): number {
  const rounds = Math.min(values.length, base.length);
  return median(Array.from({ length: rounds }, (_, at) => values[at]! / base[at]!));
}

/** How far the runs lie apart, as a part of their median: (largest − smallest) / median. */
export function spread(values: readonly number[]): number {
  return (Math.max(...values) - Math.min(...values)) / median(values);
}

/** `12.3 (11.9 12.3 14.0)`: the median, then every run in its order. */
export function shown(values: readonly number[], digits = 1): string {
  return `${median(values).toFixed(digits)} (${values.map((value) => value.toFixed(digits)).join(' ')})`;
}
