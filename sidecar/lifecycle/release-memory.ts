/**
 * Gives back what the start took. Loading modules and settings leaves a young heap that has grown and is mostly
 * garbage; V8 keeps it while a sidecar idles, some 10 MB in each pod. One full collection of a small heap, 10 to 20 ms,
 * returns it. It restricts nothing: under load the heap grows again as it needs to.
 */
import v8 from 'node:v8';
import vm from 'node:vm';
import type { Clock } from '../../shared/clock/clock.ts';

/** Not at once: the first requests come right after a sidecar is ready. Milliseconds. */
const AFTER_MS = 2_000;

/** @param collect what collects; V8's own by default */
export function releaseMemoryAfterStart(clock: Clock, collect: () => void = collectGarbage): void {
  clock.after(AFTER_MS, collect);
}

/** V8 has the function, but shows it only to contexts made while the flag is set. */
function collectGarbage(): void {
  v8.setFlagsFromString('--expose-gc');
  const gc = vm.runInNewContext('gc') as NodeJS.GCFunction;
  v8.setFlagsFromString('--no-expose-gc');
  gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}
