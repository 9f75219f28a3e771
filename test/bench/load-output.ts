/** Reads what wrk and h2load print. Pure; a run with any failed request is an error, never a figure. */

export interface LoadResult {
  /** Requests answered. */
  readonly requests: number;
  /** Bytes received. */
  readonly bytes: number;
  readonly seconds: number;
  /** Milliseconds; undefined where the tool does not tell. */
  readonly p50: number | undefined;
  readonly p99: number | undefined;
}

/** Both tools count in powers of 1024. */
const UNITS: Readonly<Record<string, number>> = { B: 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };
const MILLISECONDS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000 };

export function readWrk(text: string): LoadResult {
  const summary = /([\d.]+) requests in ([\d.]+)(us|ms|s|m), ([\d.]+)([KMGT]?)B read/.exec(text);
  if (!summary || /Non-2xx|Socket errors/.test(text)) throw new Error(`wrk met failures: ${text}`);
  const latency = (percent: string): number | undefined => {
    const [, value, unit] = new RegExp(`^\\s*${percent}%\\s+([\\d.]+)(us|ms|s|m)\\s*$`, 'm').exec(text) ?? [];
    // A run too short for a single whole answer has no distribution.
    return value === undefined || Number(value) === 0 ? undefined : Number(value) * MILLISECONDS[unit!]!;
  };
  return {
    requests: Number(summary[1]),
    seconds: (Number(summary[2]) * MILLISECONDS[summary[3]!]!) / 1000,
    bytes: Number(summary[4]) * UNITS[summary[5] || 'B']!,
    p50: latency('50'),
    p99: latency('99'),
  };
}

export function readH2load(text: string): LoadResult {
  const finished = /finished in ([\d.]+)(us|ms|s|m)/.exec(text);
  const counts = /(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/.exec(text);
  const traffic = /traffic: [\d.]+[KMGT]?B \((\d+)\) total/.exec(text);
  if (!finished || !counts || !traffic || counts.slice(2).some((count) => count !== '0')) {
    throw new Error(`h2load met failures: ${text}`);
  }
  return {
    requests: Number(counts[1]),
    seconds: (Number(finished[1]) * MILLISECONDS[finished[2]!]!) / 1000,
    bytes: Number(traffic[1]),
    p50: undefined,
    p99: undefined,
  };
}
