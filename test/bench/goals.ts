/**
 * What the data plane is to reach, judged from one report: ratios within it, never numbers of another day. A goal
 * whose rows did not run, or that this machine is too small to show, is said to be open, not missed. Pure.
 */
import type { HopReport } from './hop-bench.ts';
import type { LoadKind } from './load.ts';
import { cpuPerUnit, type Run, rate } from './run.ts';
import { ratioByRound } from './statistics.ts';
import { HAPROXY_HTTP, NGINX_HTTP, NGINX_STREAM } from './variants.ts';

export interface Goal {
  readonly what: string;
  readonly wanted: string;
  readonly figure: string;
  readonly verdict: 'met' | 'missed' | 'open';
}

/** The rows that stand for us, best first: the first that ran is judged. */
const HTTP = ['sallyport-http', 'sallyport-http-mtls'];
const TCP = ['sallyport-tcp', 'sallyport-tcp-mtls'];
const TWO_WORKERS = ['sallyport-http-2-workers'];

interface Ratio {
  readonly what: string;
  readonly ours: readonly string[];
  readonly rival: string;
  readonly load: readonly [LoadKind, number];
  readonly of: (run: Run) => number;
  readonly atMost?: number;
  readonly atLeast?: number;
  /** On fewer, the load and the app would take what is to be shown. */
  readonly cores?: number;
}

const p50 = (run: Run): number => run.p50 ?? Number.NaN;

const RATIOS: readonly Ratio[] = [
  { what: 'CPU, HTTP-aware', ours: HTTP, rival: HAPROXY_HTTP, load: ['1k', 64], of: cpuPerUnit, atMost: 0.5 },
  { what: 'CPU, TCP', ours: TCP, rival: NGINX_STREAM, load: ['1k', 64], of: cpuPerUnit, atMost: 0.55 },
  { what: 'bulk MB/s, TCP', ours: TCP, rival: NGINX_STREAM, load: ['bulk', 4], of: rate, atLeast: 1.1 },
  { what: 'bulk MB/s, HTTP-aware', ours: HTTP, rival: NGINX_HTTP, load: ['bulk', 4], of: rate, atLeast: 1.1 },
  { what: 'CPU, 64 KiB, HTTP-aware', ours: HTTP, rival: HAPROXY_HTTP, load: ['64k', 64], of: cpuPerUnit, atMost: 0.75 },
  { what: 'CPU, HTTP-aware', ours: HTTP, rival: HAPROXY_HTTP, load: ['1k', 8], of: cpuPerUnit, atMost: 0.85 },
  { what: 'p50, HTTP-aware', ours: HTTP, rival: HAPROXY_HTTP, load: ['1k', 8], of: p50, atMost: 1 },
  {
    what: 'req/s, two workers',
    ours: TWO_WORKERS,
    rival: HTTP[0]!,
    load: ['1k', 64],
    of: rate,
    atLeast: 1.7,
    cores: 6,
  },
];

const IDLE_KILOBYTES = 8;
const TUNNELS = 256;
const MEBIBYTES = 50;

/** @param cores of the machine that the report is of */
export function judge(report: HopReport, cores: number): Goal[] {
  return [...RATIOS.map((ratio) => judgeRatio(report, ratio, cores)), ...judgeIdle(report)];
}

function judgeRatio(report: HopReport, ratio: Ratio, cores: number): Goal {
  const { what, ours, rival, load, of, atMost, atLeast } = ratio;
  const wants = ratio.cores ?? 1;
  const valuesOf = (row: string | undefined): number[] =>
    report.runs
      .filter((run) => run.row === row && run.load.kind === load[0] && run.load.connections === load[1])
      .map(of);
  const row = ours.find((name) => valuesOf(name).length > 0);
  const figure = ratioByRound(valuesOf(row), valuesOf(rival));
  const good = atMost === undefined ? figure >= atLeast! : figure <= atMost;
  return {
    what: `${what}, ${load[1]} connections`,
    wanted: `${atMost === undefined ? `>= ${atLeast}` : `<= ${atMost}`} x ${rival}${wants > cores ? ` (on ${wants} cores)` : ''}`,
    figure: Number.isNaN(figure) ? '-' : `${figure.toFixed(2)} (${row})`,
    verdict: !good && wants > cores ? 'open' : verdict(figure, good),
  };
}

function judgeIdle({ idle }: HopReport): Goal[] {
  const row = TCP.find((name) => idle.some((look) => look.row === name));
  const looks = idle.filter((look) => look.row === row);
  const [first, last] = [looks[0], looks.at(-1)];
  const each = (side: 'entry' | 'exit'): number =>
    first && last && last !== first
      ? ((last[side].own - first[side].own) * 1.024) / (last.connections - first.connections)
      : Number.NaN;
  const kilobytes = Math.max(each('entry'), each('exit'));
  const with256 = looks.find(({ connections }) => connections === TUNNELS);
  const mebibytes = with256 ? Math.max(with256.entry.own, with256.exit.own) / 1024 : Number.NaN;
  const goal = (what: string, figure: number, most: number, unit: string): Goal => ({
    what,
    wanted: `<= ${most} ${unit}`,
    figure: Number.isNaN(figure) ? '-' : `${figure.toFixed(1)} ${unit} (${row})`,
    verdict: verdict(figure, figure <= most),
  });
  return [
    goal('an idle tunnel, each side', kilobytes, IDLE_KILOBYTES, 'KB'),
    goal(`private memory with ${TUNNELS} tunnels`, mebibytes, MEBIBYTES, 'MiB'),
  ];
}

function verdict(figure: number, good: boolean): Goal['verdict'] {
  if (Number.isNaN(figure)) return 'open';
  return good ? 'met' : 'missed';
}
