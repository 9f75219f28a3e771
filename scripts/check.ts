/**
 * `npm run check`: everything a machine can see in the sources, in a few seconds: types, lint and format, layout,
 * generated documents up to date. It changes nothing; `npm run format` and `npm run docs` repair what can be.
 */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { layoutProblems } from '../test/layout/layout.ts';
import { readSourceTree } from '../test/layout/source-tree.ts';
import { biomeBinary } from './biome.ts';

interface Outcome {
  readonly ok: boolean;
  /** What to show when it is not. */
  readonly output: string;
}

interface Check {
  readonly name: string;
  /** How to repair it. */
  readonly hint: string;
  run(): Promise<Outcome>;
}

const ROOT = path.join(import.meta.dirname, '..');
const TSC = path.join(ROOT, 'node_modules/typescript/bin/tsc');

const CHECKS: readonly Check[] = [
  { name: 'types', hint: 'fix the types', run: () => command(process.execPath, [TSC, '--noEmit']) },
  {
    name: 'lint and format',
    hint: 'npm run format',
    run: () => command(biomeBinary(), ['check', '--error-on-warnings', '.']),
  },
  { name: 'layout', hint: 'see test/layout', run: async () => outcomeOf(layoutProblems(readSourceTree())) },
  {
    name: 'generated documents',
    hint: 'npm run docs',
    run: () => command(process.execPath, [path.join(ROOT, 'scripts/generate-docs.ts'), '--check']),
  },
];

function outcomeOf(problems: readonly string[]): Outcome {
  return { ok: problems.length === 0, output: problems.join('\n') };
}

function command(program: string, args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    const parts: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => parts.push(part));
    child.on('error', (error) => resolve({ ok: false, output: error.message }));
    child.on('close', (code) => resolve({ ok: code === 0, output: Buffer.concat(parts).toString() }));
  });
}

async function report({ name, hint, run }: Check): Promise<boolean> {
  const start = performance.now();
  const { ok, output } = await run().catch((error: Error) => ({ ok: false, output: error.message }));
  const took = `${((performance.now() - start) / 1000).toFixed(1)} s`;
  process.stdout.write(
    ok ? `  ok      ${name} (${took})\n` : `  FAILED  ${name} (${took}): ${hint}\n${output.trimEnd()}\n`,
  );
  return ok;
}

/** node:ffi, a mended getPeerCertificate and .ts without flags: older versions fail later and less clearly. */
function refuseOldNode(): void {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 26 || (major === 26 && minor >= 9)) return;
  process.stderr.write(
    `check: needs Node 26.9 or later, this is ${process.version} (${process.execPath}). Run \`npm ci\`.\n`,
  );
  process.exit(1);
}

refuseOldNode();
const results = await Promise.all(CHECKS.map(report));
process.exitCode = results.every(Boolean) ? 0 : 1;
