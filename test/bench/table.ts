/** The report as text for a terminal. Pure: columns are as wide as what is in them, numbers to the right. */
import type { Goal } from './goals.ts';
import type { HopReport } from './hop-bench.ts';
import { type Load, titleOf } from './load.ts';
import type { Memory } from './process-cost.ts';
import { cpuPerUnit, entryPerUnit, exitPerUnit, type Run, rate, sameLoad } from './run.ts';
import { median, ratioByRound, spread } from './statistics.ts';
import { HAPROXY_HTTP, NGINX_STREAM } from './variants.ts';

/** First row is the head; the first column is text. */
export type Table = readonly (readonly string[])[];

export function layOut(table: Table): string {
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join('  ');
  return table.map((row) => `  ${line(row)}`.trimEnd()).join('\n');
}

/** Beyond this part of the median, runs of one row say more of the machine than of the row. */
const NOISY = 0.3;

export function reportText(report: HopReport): string {
  const parts = [
    `${report.rounds} alternating rounds of ${report.seconds} s; medians; CPU of both proxies, from the kernel; ratios round by round`,
    ...report.loads
      .filter((load) => report.runs.some((run) => sameLoad(run.load, load)))
      .map((load) => `${titleOf(load)}\n${layOut(loadTable(report, load))}`),
  ];
  if (report.loaded.length > 0)
    parts.push(`memory after the loads, MiB, first proxy / second\n${layOut(memoryTable(report))}`);
  if (report.idle.length > 0) parts.push(`idle connections of the app\n${layOut(idleTable(report))}`);
  const noisy = noisyRows(report);
  if (noisy > 0) {
    parts.push(
      `rows with runs that lie more than ${100 * NOISY} % apart: ${noisy}; the machine was busy. More --rounds help.`,
    );
  }
  for (const { row, why } of report.missing) parts.push(`not in the table: ${row}: ${why}`);
  return parts.join('\n\n');
}

export function goalsText(goals: readonly Goal[]): string {
  const head = ['goal', 'wanted', 'figure', 'verdict'];
  return `goals\n${layOut([head, ...goals.map(({ what, wanted, figure, verdict }) => [what, wanted, figure, verdict])])}`;
}

export function loadTable(report: HopReport, load: Load): Table {
  const { cpu, speed } = unitsOf(load);
  const of = (row: string): Run[] => report.runs.filter((run) => run.row === row && sameLoad(run.load, load));
  const costs = (row: string): number[] => of(row).map(cpuPerUnit);
  const against = (row: string, base: string): string => shownRatio(ratioByRound(costs(row), costs(base)));
  const rows = report.rows.filter((row) => of(row).length > 0);
  return [
    ['', cpu, 'first', 'second', 'spread', speed, 'p50 ms', 'p99 ms', `x ${NGINX_STREAM}`, `x ${HAPROXY_HTTP}`],
    ...rows.map((row) => [
      row,
      middle(of(row), cpuPerUnit, 1),
      middle(of(row), entryPerUnit, 1),
      middle(of(row), exitPerUnit, 1),
      `${(100 * spread(costs(row))).toFixed(0)} %`,
      middle(of(row), rate, 0),
      middle(of(row), ({ p50 }) => p50, 2),
      middle(of(row), ({ p99 }) => p99, 2),
      against(row, NGINX_STREAM),
      against(row, HAPROXY_HTTP),
    ]),
  ];
}

function noisyRows({ loads, rows, runs }: HopReport): number {
  const costs = loads.flatMap((load) =>
    rows.map((row) => runs.filter((run) => run.row === row && sameLoad(run.load, load)).map(cpuPerUnit)),
  );
  return costs.filter((values) => spread(values) > NOISY).length;
}

function memoryTable({ loaded }: HopReport): Table {
  const both = (pick: (memory: Memory) => number, entry: Memory, exit: Memory): string =>
    [entry, exit].map((memory) => mib(pick(memory))).join(' / ');
  return [
    ['', 'private', 'PSS', 'RSS'],
    ...loaded.map(({ row, entry, exit }) => [
      row,
      both(({ own }) => own, entry, exit),
      both(({ pss }) => pss, entry, exit),
      both(({ rss }) => rss, entry, exit),
    ]),
  ];
}

function idleTable({ idle }: HopReport): Table {
  const rows = [...new Set(idle.map(({ row }) => row))];
  return [
    ['', 'first KB each', 'second KB each', ...looksOf(idle).map((count) => `private MiB with ${count}`)],
    ...rows.map((row) => {
      const looks = idle.filter((one) => one.row === row);
      const each = (side: 'entry' | 'exit'): string =>
        idleKilobytes(looks.map((look) => [look.connections, look[side].own]));
      return [
        row,
        each('entry'),
        each('exit'),
        ...looks.map(({ entry, exit }) => `${mib(entry.own)} / ${mib(exit.own)}`),
      ];
    }),
  ];
}

function looksOf(idle: HopReport['idle']): number[] {
  return [...new Set(idle.map(({ connections }) => connections))];
}

/** Between the first and the last look: what a process needs for its first connection is not an idle one's. */
function idleKilobytes(looks: readonly (readonly [number, number])[]): string {
  const [first, last] = [looks[0]!, looks.at(-1)!];
  return (((last[1] - first[1]) * 1.024) / (last[0] - first[0])).toFixed(1);
}

function unitsOf({ kind }: Load): { cpu: string; speed: string } {
  if (kind === 'bulk') return { cpu: 'CPU ms/GB', speed: 'MB/s' };
  if (kind === 'handshakes') return { cpu: 'CPU us each', speed: 'per s' };
  return { cpu: 'CPU us/request', speed: 'req/s' };
}

function middle(runs: readonly Run[], pick: (run: Run) => number | undefined, digits: number): string {
  const values = runs.map(pick).filter((value) => value !== undefined);
  return values.length > 0 ? median(values).toFixed(digits) : '-';
}

function shownRatio(ratio: number): string {
  return Number.isFinite(ratio) ? ratio.toFixed(2) : '-';
}

function mib(kib: number): string {
  return (kib / 1024).toFixed(1);
}
