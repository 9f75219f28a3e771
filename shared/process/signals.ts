/**
 * The signals of both programs: SIGTERM and SIGINT end it in order, a second one after a moment skips a wait or ends
 * it at once, SIGHUP has it read its files again. It knows nothing of what is ended or read.
 */
import type { Clock } from '../clock/clock.ts';
import { EXIT } from './exit-codes.ts';

export interface SignalHandlers {
  terminate(signal: NodeJS.Signals): void;
  /** A further wish to end. @returns whether there was a wait to skip; without one the program ends at once */
  hurry?(): boolean;
  reload(): void;
}

export interface SignalSource {
  on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  off(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown;
  exit(code: number): unknown;
}

/**
 * A terminal sends Ctrl-C to the whole process group, and a launcher passes it on as well: the same wish arrives
 * twice within milliseconds. Only a later one is a second wish.
 */
const SAME_WISH_MS = 1_000;

/** @returns a function that takes the handlers away again */
export function onSignals(handlers: SignalHandlers, clock: Clock, source: SignalSource = process): () => void {
  let last: number | undefined;
  const terminate = (signal: NodeJS.Signals): void => {
    const now = clock.monotonic();
    if (last === undefined) {
      last = now;
      handlers.terminate(signal);
    } else if (now - last > SAME_WISH_MS) {
      last = now;
      if (!handlers.hurry?.()) source.exit(EXIT.drainCut.code);
    }
  };
  const reload = (): void => handlers.reload();
  source.on('SIGTERM', terminate);
  source.on('SIGINT', terminate);
  source.on('SIGHUP', reload);
  return () => {
    source.off('SIGTERM', terminate);
    source.off('SIGINT', terminate);
    source.off('SIGHUP', reload);
  };
}
