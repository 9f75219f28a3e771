/**
 * The bench of the mesh hop: every row under every load, the rows taking turns within each round. It measures and
 * keeps every run; the table and the judgement of the goals are made from what it returns.
 */

import type { BenchOptions } from './bench-options.ts';
import { estimate, fitInto, secondsOf, WARM_UP_SECONDS } from './bench-time.ts';
import { HeldConnections } from './held-connections.ts';
import { type HopSite, openSite } from './hop-site.ts';
import { appPort, fits, type Load, send, titleOf } from './load.ts';
import { cpuMicrosOf, type Memory, memoryOfAll } from './process-cost.ts';
import type { Run } from './run.ts';
import { type Hop, NotHere, type Variant } from './variant.ts';

/** What the hop takes of what the bench is asked for. */
type Asked = Pick<BenchOptions, 'variants' | 'loads' | 'idle' | 'rounds' | 'seconds' | 'minutes'>;

export interface HopBenchOptions extends Asked {
  readonly sidecarHome?: string | undefined;
  readonly signal: AbortSignal;
  progress(line: string): void;
}

/** Memory of both proxies of a row while that many connections are idle. */
export interface IdleMemory {
  readonly row: string;
  readonly connections: number;
  readonly entry: Memory;
  readonly exit: Memory;
}

export interface LoadedMemory {
  readonly row: string;
  readonly entry: Memory;
  readonly exit: Memory;
}

export interface HopReport {
  readonly rounds: number;
  readonly seconds: number;
  /** Rows that ran, in their order. */
  readonly rows: readonly string[];
  readonly missing: readonly { readonly row: string; readonly why: string }[];
  readonly loads: readonly Load[];
  readonly runs: Run[];
  readonly idle: IdleMemory[];
  /** After all loads but the one of the idle connections. */
  readonly loaded: LoadedMemory[];
}

type Started = ReadonlyMap<Variant, Hop>;

/** @param keep is given the report at once and sees it grow, so that a run cut short loses nothing */
export async function hopBench(options: HopBenchOptions, keep: (report: HopReport) => void): Promise<void> {
  const { variants, rounds, idle, progress } = options;
  const withEnvoy = variants.some(({ name }) => name.startsWith('envoy'));
  await using site = await openSite({ ...options, withEnvoy });
  const missing: { row: string; why: string }[] = [];
  const started = await startAll(site, variants, site.app.port, (row, why) => {
    missing.push({ row, why });
    progress(`left out: ${row}: ${why}`);
  });
  const plan = { variants: [...started.keys()], loads: options.loads, idle, rounds };
  const { seconds, loads, leftOut } = fitInto(options.minutes, plan, options.seconds);
  const minutes = Math.ceil(estimate({ ...plan, loads }, seconds) / 60);
  progress(`${rounds} rounds of ${seconds} s with ${started.size} rows: about ${minutes} min`);
  for (const what of leftOut) progress(`left out, so that it fits into ${options.minutes} min: ${what}`);
  const rows = plan.variants.map(({ name }) => name);
  const report: HopReport = { rounds, seconds, rows, missing, loads, runs: [], idle: [], loaded: [] };
  keep(report);
  for (const load of loads) await underLoad(site, started, load, options, report);
  for (const [variant, hop] of started) {
    const [entry, exit] = [memoryOfAll(hop.entryPids), memoryOfAll(hop.exitPids)];
    report.loaded.push({ row: variant.name, entry, exit });
  }
  if (idle.length > 0) {
    await Promise.all([...started.values()].map((hop) => hop.stop()));
    await whileIdle(site, [...started.keys()], options, report);
  }
}

async function underLoad(
  site: HopSite,
  started: Started,
  load: Load,
  options: HopBenchOptions,
  report: HopReport,
): Promise<void> {
  const { rounds, progress } = options;
  const seconds = secondsOf(load, report.seconds);
  const fitting = [...started].filter(([variant]) => fits(load, variant));
  const port = appPort(load, site.app);
  const own = port !== site.app.port; // another port of the app wants other hops
  const hops: Started = own
    ? await startAll(
        site,
        fitting.map(([variant]) => variant),
        port,
        () => {},
      )
    : new Map(fitting);
  progress(`${titleOf(load)}: ${rounds} x ${hops.size} rows`);
  for (const [, hop] of hops) await send(load, hop, WARM_UP_SECONDS, site);
  for (let round = 0; round < rounds; round++) {
    for (const [{ name }, hop] of hops) {
      const before = [cpuMicrosOf(hop.entryPids), cpuMicrosOf(hop.exitPids)];
      const result = await send(load, hop, seconds, site).catch((error: Error) => {
        throw new Error(`${name}: ${error.message}`);
      });
      const entryMicros = cpuMicrosOf(hop.entryPids) - before[0]!;
      const exitMicros = cpuMicrosOf(hop.exitPids) - before[1]!;
      report.runs.push({ row: name, load, round, ...result, entryMicros, exitMicros });
    }
  }
  if (own) await Promise.all([...hops.values()].map((hop) => hop.stop()));
}

/** Rows that carry bytes, each started anew so that nothing of the loads is counted. */
async function whileIdle(
  site: HopSite,
  variants: readonly Variant[],
  { idle, progress, signal }: HopBenchOptions,
  report: HopReport,
): Promise<void> {
  for (const variant of variants.filter(({ relay }) => relay === 'tcp')) {
    progress(`idle connections: ${variant.name}`);
    const hop = await variant.start(site, site.app.port);
    {
      using held = new HeldConnections(hop.entryPort);
      for (const connections of idle) {
        await held.growTo(connections);
        await settled(signal);
        const [entry, exit] = [memoryOfAll(hop.entryPids), memoryOfAll(hop.exitPids)];
        report.idle.push({ row: variant.name, connections, entry, exit });
      }
    }
    await hop.stop();
  }
}

/** Garbage of the handshakes goes by and by. */
function settled(signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 1_500);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        reject(signal.reason);
      },
      { once: true },
    );
  });
}

async function startAll(
  site: HopSite,
  variants: readonly Variant[],
  port: number,
  absent: (row: string, why: string) => void,
): Promise<Map<Variant, Hop>> {
  const hops = new Map<Variant, Hop>();
  for (const variant of variants) {
    try {
      hops.set(variant, await variant.start(site, port));
    } catch (error) {
      if (!(error instanceof NotHere)) throw new Error(`${variant.name}: ${(error as Error).message}`);
      absent(variant.name, error.message);
    }
  }
  return hops;
}
