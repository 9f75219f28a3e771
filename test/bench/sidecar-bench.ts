/** Start and memory of a sidecar: to ready with a citadel on the same machine, and what it adds while idle. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { startMesh } from '../support/mesh.ts';
import { type Memory, memoryOf } from './process-cost.ts';
import { shown } from './statistics.ts';

/** Milliseconds from the start of the process to 200 on /readyz, beside a bare Node. */
export async function startBench(rounds: number): Promise<void> {
  await using mesh = await startMesh({ services: [{ name: 'first', appPort: 9 }] });
  const bare: number[] = [];
  const ready: number[] = [];
  for (let round = 0; round < rounds; round++) {
    bare.push(await timed(async () => void (await once(spawn(process.execPath, ['-e', '0']), 'exit'))));
    await mesh.service('first').sidecar.stop();
    ready.push(await timed(() => mesh.startService('first')));
  }
  console.log(`\nstart, ${rounds} rounds; median (every run)`);
  console.log(`  bare node -e 0, ms       ${shown(bare, 0)}`);
  console.log(`  sidecar to ready, ms     ${shown(ready, 0)}   goal: <= 300; asked every 25 ms`);
}

/** Five idle sidecars side by side, so that what they share is seen as shared. */
export async function memoryBench(): Promise<void> {
  const services = Array.from({ length: 5 }, (_, at) => ({ name: `app-${at}`, appPort: 9 }));
  await using mesh = await startMesh({ services });
  const bare = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)']);
  await once(bare, 'spawn');
  // Garbage of the start is collected by and by: look when a watch heartbeat has passed.
  await once(AbortSignal.timeout(20_000), 'abort');
  const all = services.map(({ name }) => memoryOf(mesh.service(name).sidecar.pid));
  const row = (what: string, pick: (memory: Memory) => number): void =>
    console.log(
      `  sidecar ${what.padEnd(16)} ${shown(all.map((memory) => pick(memory) / 1024))} MiB   bare node ${(pick(memoryOf(bare.pid!)) / 1024).toFixed(1)} MiB`,
    );
  console.log('\nmemory of five ready, idle sidecars; median (every one); goal: private <= 35 MB');
  row('private', ({ own }) => own);
  row('PSS', ({ pss }) => pss);
  row('RSS', ({ rss }) => rss);
  bare.kill();
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await act();
  return performance.now() - began;
}
