/** `npm run bench [-- NAME ...]`: the benches, one after the other; see README.md beside this file. */
import { parseArgs } from 'node:util';
import { issuanceBench } from './issuance-bench.ts';
import { requestBench } from './request-bench.ts';
import { memoryBench, startBench } from './sidecar-bench.ts';

const BENCHES: Readonly<Record<string, (scale: number) => Promise<void>>> = {
  issuance: (scale) => issuanceBench({ rounds: Math.max(2, Math.round(5 * scale)), seconds: 5 }),
  start: (scale) => startBench(Math.max(3, Math.round(9 * scale))),
  memory: () => memoryBench(),
  requests: (scale) => requestBench({ rounds: Math.max(2, Math.round(3 * scale)), seconds: 4 }),
};

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { scale: { type: 'string', default: '1' } },
});
const names = positionals.length > 0 ? positionals : Object.keys(BENCHES);
for (const name of names) {
  const bench = BENCHES[name];
  if (!bench) {
    console.error(`no bench ${name}; there are: ${Object.keys(BENCHES).join(', ')}`);
    process.exit(2);
  }
  await bench(Number(values.scale));
}
