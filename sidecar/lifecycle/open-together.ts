/**
 * Opens several ports at once. When one cannot be opened the others are waited for before that is told: a port whose
 * opening is still under way cannot be closed, and would stay open behind the one who cleans up.
 */

/** @throws what the first that failed has failed with */
export async function openTogether<T extends readonly unknown[] | []>(
  opening: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(opening);
  return Promise.all(opening);
}
