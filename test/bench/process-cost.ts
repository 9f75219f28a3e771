/** What a process has cost so far, by the kernel's own accounting: CPU time and memory. Linux only. */
import { readdirSync, readFileSync } from 'node:fs';

/** The kernel's unit of CPU time in /proc, fixed at 100 per second for user space. */
const TICKS_PER_SECOND = 100;

/** Microseconds of CPU, user and system, of all threads. Resolution 10 ms: measure over seconds. */
export function cpuMicros(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name in field 2 may hold spaces and parentheses: count from its end.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1e6) / TICKS_PER_SECOND;
}

export function cpuMicrosOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + cpuMicros(pid), 0);
}

/** KiB. */
export interface Memory {
  /** Resident memory, shared pages counted whole. */
  readonly rss: number;
  /** Shared pages counted by share. */
  readonly pss: number;
  /** What only this process uses: what it adds to its node. */
  readonly own: number;
}

export function memoryOf(pid: number): Memory {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(rollup)?.[1] ?? Number.NaN);
  return { rss: field('Rss'), pss: field('Pss'), own: field('Private_Clean') + field('Private_Dirty') };
}

/** Of one proxy, which may be several processes. */
export function memoryOfAll(pids: readonly number[]): Memory {
  const all = pids.map(memoryOf);
  const sum = (pick: (memory: Memory) => number): number => all.reduce((total, one) => total + pick(one), 0);
  return { rss: sum(({ rss }) => rss), pss: sum(({ pss }) => pss), own: sum(({ own }) => own) };
}

/** A process and all below it, as of now: nginx and multi-worker sidecars work in children. */
export function processTree(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(processTree)];
}
