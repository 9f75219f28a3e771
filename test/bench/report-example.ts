/** A small report with known figures, for the tests of what is made from reports. */
import type { HopReport } from './hop-bench.ts';
import type { Load } from './load.ts';
import type { Run } from './run.ts';

export const K1: Load = { kind: '1k', connections: 64 };

/** CPU and rate of each round of a row. */
export interface RowExample {
  readonly row: string;
  readonly load?: Load;
  /** Microseconds per request of both proxies, half each; one value per round. */
  readonly micros: readonly number[];
  readonly p50?: number;
}

const REQUESTS = 1000;

export function reportOf(examples: readonly RowExample[], more: Partial<HopReport> = {}): HopReport {
  const rows = [...new Set(examples.map(({ row }) => row))];
  const loads = [...new Set(examples.map(({ load }) => load ?? K1))];
  return {
    rounds: 3,
    seconds: 2,
    rows,
    loads,
    missing: [],
    runs: examples.flatMap(runsOf),
    idle: [],
    loaded: [],
    ...more,
  };
}

function runsOf({ row, load = K1, micros, p50 = 1 }: RowExample): Run[] {
  return micros.map((one, round) => ({
    row,
    load,
    round,
    requests: REQUESTS,
    bytes: 2e9,
    seconds: 2,
    p50,
    p99: 2 * p50,
    entryMicros: (one * REQUESTS) / 2,
    exitMicros: (one * REQUESTS) / 2,
  }));
}
