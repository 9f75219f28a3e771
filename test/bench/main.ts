/** `npm run bench [-- NAME ...]`: the benches, one after the other; see README.md beside this file. */
import { writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BenchOptions, parseOptions, USAGE, UsageError } from './bench-options.ts';
import { judge } from './goals.ts';
import { type HopReport, hopBench } from './hop-bench.ts';
import { issuanceBench } from './issuance-bench.ts';
import { memoryBench, startBench } from './sidecar-bench.ts';
import { goalsText, reportText } from './table.ts';

const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    process.exitCode = 130;
    stopping.abort(new Error(`stopped by ${signal}`));
  });
}

const began = performance.now();
/** Beside the results, not among them. */
function progress(line: string): void {
  process.stderr.write(`[${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s] ${line}\n`);
}

if (process.argv.includes('--help')) {
  console.log(USAGE);
  process.exit();
}
try {
  await runAll(parseOptions(process.argv.slice(2)));
} catch (error) {
  if (error instanceof UsageError) process.stderr.write(`bench: ${error.message}\n${USAGE}\n`);
  else
    process.stderr.write(
      `bench: ${stopping.signal.aborted ? String(stopping.signal.reason.message) : (error as Error).stack}\n`,
    );
  process.exitCode ??= error instanceof UsageError ? 2 : 1;
}
// A load that was cut short may have left sockets of ours open; nothing is waited for any more.
process.exit();

async function runAll(options: BenchOptions): Promise<void> {
  for (const name of options.names) {
    if (name === 'hop') await hop(options);
    const site = { signal: stopping.signal, sidecarHome: options.sidecarHome, withEnvoy: false, progress };
    if (name === 'start') await startBench(Math.max(3, Math.round(9 * options.scale)), site);
    if (name === 'memory') await memoryBench(site);
    if (name === 'issuance') await issuanceBench({ rounds: Math.max(2, Math.round(5 * options.scale)), seconds: 5 });
    stopping.signal.throwIfAborted();
  }
}

async function hop(options: BenchOptions): Promise<void> {
  let report: HopReport | undefined;
  try {
    await hopBench({ ...options, signal: stopping.signal, progress }, (growing) => {
      report = growing;
    });
  } finally {
    if (report && report.runs.length + report.idle.length > 0) await show(report, options);
  }
}

async function show(report: HopReport, { json, out }: BenchOptions): Promise<void> {
  const goals = judge(report, cpus().length);
  const machine = {
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    node: process.version,
    when: new Date().toISOString(),
  };
  const text = JSON.stringify({ machine, goals, ...report }, null, 1);
  const file = out ?? join(tmpdir(), `sallyport-bench-${machine.when.replaceAll(':', '')}.json`);
  await writeFile(file, text);
  if (json) console.log(text);
  else console.log(`\n${machine.cpu}, ${machine.cores} cores\n${reportText(report)}\n\n${goalsText(goals)}`);
  progress(`every run: ${file}`);
}
