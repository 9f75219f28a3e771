/**
 * A log in which a flood of refusals stays readable: of each code and peer the first lines of an interval are written
 * and the rest is told as one number at its end. Whoever floods a sidecar must fill no disk and hide no other line.
 * It only thins out warnings that carry a code; metrics are counted elsewhere and miss nothing.
 */
import type { Clock, Timer } from '../../shared/clock/clock.ts';
import type { Log, LogFields } from '../../shared/log/log.ts';

const INTERVAL_MS = 10_000;
/** Lines of one event, code and peer in an interval. */
const MOST_LINES = 100;
/** Peers are not ours to bound: those beyond this number share the lines of their code. */
const MOST_PEERS = 100;
const OTHERS = 'others';

interface Tally {
  readonly event: string;
  readonly code: string;
  readonly peer: string;
  lines: number;
  leftOut: number;
}

export function withThinnedRefusals(log: Log, clock: Clock): Log {
  return new RefusalLines(log, clock);
}

class RefusalLines implements Log {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #tallies = new Map<string, Tally>();
  #interval: Timer | undefined;

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  readonly debug = (event: string, fields?: LogFields): void => this.#log.debug(event, fields);
  readonly info = (event: string, fields?: LogFields): void => this.#log.info(event, fields);
  readonly error = (event: string, fields?: LogFields): void => this.#log.error(event, fields);

  readonly warn = (event: string, fields: LogFields = {}): void => {
    if (this.#admits(event, fields)) this.#log.warn(event, fields);
  };

  child(fields: LogFields): Log {
    return new RefusalLines(this.#log.child(fields), this.#clock);
  }

  #admits(event: string, { code, peer, remoteAddress }: LogFields): boolean {
    if (typeof code !== 'string') return true;
    const tally = this.#tallyOf(event, code, String(peer ?? remoteAddress ?? ''));
    const admitted = tally.lines < MOST_LINES;
    if (admitted) tally.lines++;
    else tally.leftOut++;
    return admitted;
  }

  #tallyOf(event: string, code: string, peer: string): Tally {
    const keyOf = (who: string): string => `${event} ${code} ${who}`;
    const known = this.#tallies.get(keyOf(peer));
    if (known) return known;
    if (this.#tallies.size >= MOST_PEERS && peer !== OTHERS) return this.#tallyOf(event, code, OTHERS);
    this.#interval ??= this.#clock.after(INTERVAL_MS, () => this.#endInterval());
    const fresh = { event, code, peer, lines: 0, leftOut: 0 };
    this.#tallies.set(keyOf(peer), fresh);
    return fresh;
  }

  #endInterval(): void {
    this.#interval = undefined;
    for (const { event, code, peer, leftOut } of this.#tallies.values()) {
      if (leftOut > 0)
        this.#log.warn('refusals_left_out', { of: event, code, peer, leftOut, seconds: INTERVAL_MS / 1000 });
    }
    this.#tallies.clear();
  }
}
