/** One timed run of one row under one load, and what is derived from it. Pure. */
import { GIGA, type Load } from './load.ts';
import type { LoadResult } from './load-output.ts';

export interface Run extends LoadResult {
  readonly row: string;
  readonly load: Load;
  readonly round: number;
  /** CPU of each proxy during the run, microseconds. */
  readonly entryMicros: number;
  readonly exitMicros: number;
}

export function sameLoad(a: Load, b: Load): boolean {
  return a.kind === b.kind && a.connections === b.connections;
}

/** CPU of both proxies per unit: microseconds per request or handshake, milliseconds per gigabyte of bulk. */
export function cpuPerUnit(run: Run): number {
  return entryPerUnit(run) + exitPerUnit(run);
}

export function entryPerUnit(run: Run): number {
  return run.entryMicros / units(run);
}

/** Handshakes cost the second proxy; the first is not asked. */
export function exitPerUnit(run: Run): number {
  return run.exitMicros / units(run);
}

/** Requests or handshakes per second, or megabytes per second of bulk. */
export function rate(run: Run): number {
  return (run.load.kind === 'bulk' ? run.bytes / 1e6 : run.requests) / run.seconds;
}

function units({ load, bytes, requests }: Run): number {
  return load.kind === 'bulk' ? (bytes / GIGA) * 1000 : requests;
}
