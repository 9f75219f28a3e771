/** Start and memory of a sidecar as built: to ready with a citadel on the same machine, and what it adds while idle. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { freePorts } from '../../scripts/local-mesh/ports.ts';
import { openSite, type SiteOptions } from './hop-site.ts';
import { type Memory, memoryOf } from './process-cost.ts';
import { plainSettings, startSidecar } from './sidecar-hop.ts';
import { shown } from './statistics.ts';
import type { Site } from './variant.ts';

/** Milliseconds from the start of the process to 200 on /readyz, beside a bare Node. */
export async function startBench(rounds: number, options: SiteOptions): Promise<void> {
  await using site = await openSite(options);
  const bare: number[] = [];
  const ready: number[] = [];
  await (await oneSidecar(site, 'warm-up')).stop(); // fills the compile cache, as the image's first start on a node
  for (let round = 0; round < rounds; round++) {
    options.signal.throwIfAborted();
    bare.push(await timed(async () => void (await once(spawn(process.execPath, ['-e', '0']), 'exit'))));
    const settings = await settingsOfOne(site);
    let sidecar: Awaited<ReturnType<typeof startSidecar>> | undefined;
    ready.push(await timed(async () => (sidecar = await startSidecar(site, `start-${round}`, settings))));
    await sidecar!.stop();
  }
  console.log(`\nstart, ${rounds} rounds; median (every run)`);
  console.log(`  bare node -e 0, ms       ${shown(bare, 0)}`);
  console.log(`  sidecar to ready, ms     ${shown(ready, 0)}   goal: <= 300; asked every 20 ms`);
}

/** Five idle sidecars side by side, so that what they share is seen as shared. */
export async function memoryBench(options: SiteOptions): Promise<void> {
  await using site = await openSite(options);
  const sidecars = await Promise.all(Array.from({ length: 5 }, (_, at) => oneSidecar(site, `idle-${at}`)));
  const bare = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)']);
  try {
    await once(bare, 'spawn');
    // Garbage of the start is collected by and by: look when a watch heartbeat has passed.
    options.progress('idle for 20 s');
    await once(AbortSignal.any([AbortSignal.timeout(20_000), options.signal]), 'abort');
    options.signal.throwIfAborted();
    const all = sidecars.map(({ pid }) => memoryOf(pid));
    const row = (what: string, pick: (memory: Memory) => number): void =>
      console.log(
        `  sidecar ${what.padEnd(16)} ${shown(all.map((memory) => pick(memory) / 1024))} MiB   bare node ${(pick(memoryOf(bare.pid!)) / 1024).toFixed(1)} MiB`,
      );
    console.log('\nmemory of five ready, idle sidecars; median (every one); goal: private <= 30 MB');
    row('private', ({ own }) => own);
    row('PSS', ({ pss }) => pss);
    row('RSS', ({ rss }) => rss);
  } finally {
    bare.kill();
  }
}

async function oneSidecar(site: Site, name: string): Promise<Awaited<ReturnType<typeof startSidecar>>> {
  return startSidecar(site, name, await settingsOfOne(site));
}

async function settingsOfOne(site: Site): Promise<Parameters<typeof startSidecar>[2]> {
  const [middle = 0, tunnel = 0, ...rest] = await freePorts(8);
  const { exit } = plainSettings(site, 'http', { entry: 0, middle, tunnel, app: 9 }, rest);
  // Several of them stand side by side, and each has a gate for tunnels.
  return { ...exit, tunnel: { listen: `127.0.0.1:${tunnel}` } };
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await act();
  return performance.now() - began;
}
