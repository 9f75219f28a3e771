/**
 * The only place that reads the time, draws chance or starts a timer. Everything else receives these
 * as values, so a test can hold the clock still. It never decides anything.
 */
import { randomBytes } from 'node:crypto';

/** A running timer. Cancelling twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void;
  [Symbol.dispose](): void;
}

export interface Clock {
  /** Milliseconds since the Unix epoch, by the wall clock: it can jump. Use it for certificates and tokens. */
  now(): number;
  /** Milliseconds from an arbitrary start that never go back. Use it for durations. */
  monotonic(): number;
  /** Runs `fire` once after `ms` milliseconds (any length; 0 means the next turn). Does not keep the process alive. */
  after(ms: number, fire: () => void): Timer;
}

export interface Randomness {
  /** Uniform in [0, 1). For jitter only, never for secrets. */
  draw(): number;
  /** Cryptographically strong bytes. */
  bytes(count: number): Buffer;
}

/** setTimeout fires at once when asked for more than this (2^31 - 1 ms, 24.8 days). */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, fire) {
    let handle: NodeJS.Timeout;
    const arm = (left: number): void => {
      const step = Math.min(Math.max(0, left), LONGEST_TIMEOUT);
      handle = setTimeout(() => (left > step ? arm(left - step) : fire()), step).unref();
    };
    arm(ms);
    const cancel = (): void => clearTimeout(handle);
    return { cancel, [Symbol.dispose]: cancel };
  },
};

export const systemRandomness: Randomness = {
  draw: () => Math.random(),
  bytes: (count) => (count <= SMALL ? fromPool(count) : randomBytes(count)),
};

/** Asking OpenSSL costs the same for 16 bytes as for 4 KiB: small wishes share one question. */
const SMALL = 64;
let pool = Buffer.alloc(0);

/** Each byte is given out once and erased behind, so that nothing of it stays in memory twice. */
function fromPool(count: number): Buffer {
  if (pool.length < count) pool = randomBytes(4096);
  const taken = Buffer.from(pool.subarray(0, count));
  pool.fill(0, 0, count);
  pool = pool.subarray(count);
  return taken;
}

/** Resolves after `ms` milliseconds; rejects with the signal's reason when it is aborted first. */
export function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.after(ms, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
