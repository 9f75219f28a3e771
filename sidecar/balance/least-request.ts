/**
 * Which of several endpoints takes the next request: two are drawn, the one with less in progress takes it. That
 * keeps a slow endpoint from collecting work without a count of all of them, and does not send everyone to the same
 * idle one at once. Pure.
 */
import type { Randomness } from '../../shared/clock/clock.ts';

/** @returns undefined when there is none */
export function leastOfTwo<E extends { readonly active: number }>(
  endpoints: readonly E[],
  randomness: Randomness,
): E | undefined {
  const count = endpoints.length;
  if (count < 2) return endpoints[0];
  const first = Math.floor(randomness.draw() * count);
  // Drawn among the others, so that two different ones are compared.
  const second = (first + 1 + Math.floor(randomness.draw() * (count - 1))) % count;
  const [a, b] = [endpoints[first]!, endpoints[second]!];
  return b.active < a.active ? b : a;
}
