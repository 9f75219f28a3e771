/**
 * The orderly end of the data plane: the ways in are closed and what came through them finishes, then the
 * ways out, because a request in progress may still need one. What is left when the time is over is cut.
 * It ends no process and closes no port of our own (health, metrics, admin): they answer until the end.
 */
import type { Clock } from '../../shared/clock/clock.ts';
import type { Log } from '../../shared/log/log.ts';

/** A listener: closes its port and lets what is open finish. */
export interface Gate {
  drain(): void;
}

/** The registry of connections. */
export interface OpenConnections {
  list(): readonly { readonly direction: string }[];
  /** Retires everything that is open or comes. @returns when nothing is open any more */
  drain(): Promise<void>;
  /** @returns how many were cut */
  cutAll(): number;
}

export interface DrainOptions {
  readonly inbound: readonly Gate[];
  readonly outbound: readonly Gate[];
  readonly connections: OpenConnections;
  readonly seconds: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** How often to look whether the last inbound connection is gone: milliseconds. */
const LOOK_MS = 50;

/** @returns false when connections had to be cut */
export async function drain({ inbound, outbound, connections, seconds, clock, log }: DrainOptions): Promise<boolean> {
  const over = clock.monotonic() + seconds * 1000;
  const leftMs = (): number => over - clock.monotonic();
  for (const gate of inbound) gate.drain();
  log.info('draining', { seconds, connections: connections.list().length });
  while (leftMs() > 0 && connections.list().some(({ direction }) => direction === 'inbound'))
    await passed(clock, LOOK_MS);
  for (const gate of outbound) gate.drain();
  if (await isInTime(connections.drain(), clock, leftMs())) return true;
  const cut = connections.cutAll();
  if (cut > 0) log.warn('drain_cut', { connections: cut, seconds });
  return cut === 0;
}

function passed(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.after(ms, resolve));
}

/** Whether a promise is kept before the time is over. What is kept already counts, also with no time left. */
async function isInTime(promise: Promise<void>, clock: Clock, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = clock.after(Math.max(0, ms), () => resolve(false));
    void promise.then(() => {
      timer.cancel();
      resolve(true);
    });
  });
}
