/**
 * Waits for a fact that no event announces (another program's page, a file): asks again every few
 * milliseconds, bounded. It is no sleep: it ends with the fact or fails with what was seen last.
 */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined> | T | undefined,
  withinMs = 10_000,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  let last: unknown = 'nothing';
  while (performance.now() < deadline) {
    try {
      const found = await probe();
      if (found !== undefined && found !== false) return found;
      last = found;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`${withinMs} ms passed before "${what}"; last seen: ${String(last)}`);
}
