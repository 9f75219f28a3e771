/**
 * CPU per request of the two proxies of a hop together: Sallyport's sidecars against nginx and haproxy in the same
 * places, with SVIDs from the same citadel, the same app and the same load, in alternating rounds.
 */
import { generateKeyPairSync } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts } from '../../scripts/local-mesh/ports.ts';
import { Running } from '../../scripts/local-mesh/running.ts';
import { buildCsr } from '../../shared/x509/csr-builder.ts';
import { encodePem } from '../../shared/x509/pem.ts';
import { CitadelClient } from '../support/citadel-client.ts';
import { startMesh, type TestMesh } from '../support/mesh.ts';
import { tool } from '../support/tool.ts';
import { until } from '../support/until.ts';
import { cpuMicros } from './process-cost.ts';
import { type HopFiles, haproxyEntry, haproxyExit, nginxApp, nginxEntry, nginxExit } from './rival-configs.ts';
import { median, shown } from './statistics.ts';

interface Variant {
  readonly name: string;
  readonly port: number;
  readonly pids: readonly number[];
}

interface Run {
  readonly micros: number;
  readonly rate: number;
  readonly p50: string;
  readonly p99: string;
}

export async function requestBench({ rounds, seconds }: { rounds: number; seconds: number }): Promise<void> {
  const [app = 0, ...ports] = await freePorts(5);
  await using mesh = await startMesh({
    services: [
      { name: 'orders', appPort: app },
      { name: 'web', next: 'orders', appPort: 9 },
    ],
  });
  const files = await hopFiles(mesh);
  const { directory } = files;
  const rivals: Running[] = [];
  const start = async (name: string, command: readonly string[], text: string, port: number): Promise<number[]> => {
    const file = join(directory, `${name}.conf`);
    await writeFile(file, text);
    const running = new Running({ name, command: [...command, file] });
    rivals.push(running);
    await until(
      `${name} listens`,
      async () => (await tool('bash', ['-c', `exec 3<>/dev/tcp/127.0.0.1/${port}`])).code === 0 || undefined,
    );
    return [running.pid, ...childrenOf(running.pid)];
  };
  const [nginxIn = 0, nginxMid = 0, haproxyIn = 0, haproxyMid = 0] = ports;
  try {
    await start('app', ['nginx', '-c'], nginxApp(directory, app), app);
    const hop = { entry: nginxIn, middle: nginxMid, app };
    const nginxPids = [
      ...(await start('nginx-exit', ['nginx', '-c'], nginxExit(files, hop), nginxMid)),
      ...(await start('nginx-entry', ['nginx', '-c'], nginxEntry(files, hop), nginxIn)),
    ];
    const second = { entry: haproxyIn, middle: haproxyMid, app };
    const haproxyPids = [
      ...(await start('haproxy-exit', ['haproxy', '-db', '-f'], haproxyExit(files, second), haproxyMid)),
      ...(await start('haproxy-entry', ['haproxy', '-db', '-f'], haproxyEntry(files, second), haproxyIn)),
    ];
    const variants: Variant[] = [
      { name: 'nginx http', port: nginxIn, pids: nginxPids },
      { name: 'haproxy http', port: haproxyIn, pids: haproxyPids },
      {
        name: 'sallyport',
        port: mesh.service('web').plan.outbound['orders']!,
        pids: ['web', 'orders'].map((name) => mesh.service(name).sidecar.pid),
      },
    ];
    for (const connections of [64, 8]) print(connections, await measure(variants, connections, rounds, seconds));
  } finally {
    await Promise.all(rivals.map((rival) => rival.stop()));
  }
}

async function measure(
  variants: readonly Variant[],
  connections: number,
  rounds: number,
  seconds: number,
): Promise<Map<string, Run[]>> {
  for (const variant of variants) await load(variant, connections, 2); // warm-up, not counted
  const runs = new Map<string, Run[]>(variants.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const variant of variants) runs.get(variant.name)!.push(await load(variant, connections, seconds));
  }
  return runs;
}

async function load({ name, port, pids }: Variant, connections: number, seconds: number): Promise<Run> {
  const before = pids.reduce((sum, pid) => sum + cpuMicros(pid), 0);
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', `http://127.0.0.1:${port}/`];
  const { stdout } = await tool('wrk', args, { withinMs: seconds * 1000 + 20_000 });
  const spent = pids.reduce((sum, pid) => sum + cpuMicros(pid), 0) - before;
  const requests = Number(/(\d+) requests in/.exec(stdout)?.[1]);
  if (!(requests > 0) || /Non-2xx|Socket errors/.test(stdout)) throw new Error(`${name}: ${stdout}`);
  const latency = (percent: string): string => new RegExp(`${percent}%\\s+(\\S+)`).exec(stdout)?.[1] ?? '?';
  return { micros: spent / requests, rate: requests / seconds, p50: latency('50'), p99: latency('99') };
}

function print(connections: number, runs: ReadonlyMap<string, readonly Run[]>): void {
  const base = median(runs.get('haproxy http')!.map(({ micros }) => micros));
  console.log(`\nrequests, ${connections} connections, 1 KiB; CPU us/request of both proxies: median (every run)`);
  for (const [name, all] of runs) {
    const micros = all.map((run) => run.micros);
    const rates = all.map((run) => run.rate);
    console.log(
      `  ${name.padEnd(14)} ${shown(micros).padEnd(34)} ${(median(micros) / base).toFixed(2)} x haproxy   ${shown(rates, 0)} req/s   p50/p99 ${all.map(({ p50, p99 }) => `${p50}/${p99}`).join(' ')}`,
    );
  }
}

/** One SVID from the mesh's citadel, in the forms that the rivals want. */
async function hopFiles(mesh: TestMesh): Promise<HopFiles> {
  const { directory, rootFile, citadel, services } = mesh.plan;
  const token = (await readFile(services[0]!.tokenFile, 'utf8')).trim();
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  using client = new CitadelClient({ port: citadel.port, ca: await readFile(rootFile) });
  const answer = await client.certificate(token, encodePem('CERTIFICATE REQUEST', buildCsr(keys)));
  if (answer.status !== 201) throw new Error(`citadel answered ${answer.status} ${answer.text}`);
  const chain = (answer.json!['certificateChain'] as string[]).join('');
  const key = keys.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const files = {
    directory,
    chain: join(directory, 'hop-chain.pem'),
    key: join(directory, 'hop-key.pem'),
    both: join(directory, 'hop-both.pem'),
    roots: rootFile,
  };
  await writeFile(files.chain, chain);
  await writeFile(files.key, key, { mode: 0o600 });
  await writeFile(files.both, chain + key, { mode: 0o600 });
  return files;
}

/** nginx works in children of the process that was started. */
function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
}
