/**
 * CPU per certificate, end to end over HTTPS: token check, CSR rules, signature, own verification, durable
 * journal. The floor is measured between the rounds, so that a drifting machine drifts both.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asYaml } from '../../scripts/local-mesh/mesh-plan.ts';
import { freePorts } from '../../scripts/local-mesh/ports.ts';
import { Running } from '../../scripts/local-mesh/running.ts';
import { until } from '../support/until.ts';
import { type Issuer, issueFor, startIssuer } from './issuance-load.ts';
import { measureFloor } from './openssl-floor.ts';
import { cpuMicros, memoryOf } from './process-cost.ts';
import { median, shown } from './statistics.ts';

export interface IssuanceBenchOptions {
  readonly rounds: number;
  readonly seconds: number;
}

export async function issuanceBench({ rounds, seconds }: IssuanceBenchOptions): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'sallyport-bench-'));
  const issuer = await startIssuer();
  const [port = 0, healthPort = 0] = await freePorts(2);
  const config = join(directory, 'citadel.yaml');
  await writeFile(config, asYaml(settings(directory, issuer, port, healthPort)), { mode: 0o600 });
  const citadel = new Running({
    name: 'citadel',
    command: [process.execPath, 'bin/citadel.js', 'serve', '--config', config],
  });
  try {
    await until('citadel is ready', async () => {
      const answer = await fetch(`http://127.0.0.1:${healthPort}/readyz`);
      if (!answer.ok) throw new Error(`${await answer.text()} ${citadel.lines.slice(-3).join(' ')}`);
      return true;
    });
    const target = { port, ca: await readFile(join(directory, 'authority', 'root-cert.pem')) };
    await issueFor(2, 32, issuer, target); // warm-up, not counted
    for (const inFlight of [32, 1]) await table(inFlight, { rounds, seconds, issuer, target, pid: citadel.pid });
    console.log(`memory after the load: ${memoryText(citadel.pid)}`);
  } finally {
    await citadel.stop();
    issuer.close();
    await rm(directory, { recursive: true, force: true });
  }
}

interface Round {
  readonly micros: number;
  readonly floor: number;
  readonly rate: number;
}

async function table(
  inFlight: number,
  at: { rounds: number; seconds: number; issuer: Issuer; target: { port: number; ca: Buffer }; pid: number },
): Promise<void> {
  const runs: Round[] = [];
  for (let round = 0; round < at.rounds; round++) {
    const floor = await measureFloor(1);
    const before = cpuMicros(at.pid);
    const { issued, refused, seconds } = await issueFor(at.seconds, inFlight, at.issuer, at.target);
    if (refused > 0)
      throw new Error(`${refused} of ${issued + refused} requests were refused: the figures would be wrong`);
    runs.push({ micros: (cpuMicros(at.pid) - before) / issued, floor: floor.sumMicros, rate: issued / seconds });
  }
  console.log(`\nissuance, ${inFlight} in flight, ${at.rounds} rounds of ${at.seconds} s; median (every run)`);
  console.log(
    `  certificates/s           ${shown(
      runs.map(({ rate }) => rate),
      0,
    )}`,
  );
  console.log(`  citadel CPU us/cert      ${shown(runs.map(({ micros }) => micros))}`);
  console.log(`  openssl sign+verify us   ${shown(runs.map(({ floor }) => floor))}`);
  console.log(
    `  ratio to that floor      ${shown(
      runs.map(({ micros, floor }) => micros / floor),
      2,
    )}   goal at 32 in flight: <= 3.2`,
  );
  console.log(`  median of ratios         ${median(runs.map(({ micros, floor }) => micros / floor)).toFixed(2)}`);
}

function settings(directory: string, issuer: Issuer, port: number, healthPort: number): object {
  return {
    trustDomain: 'bench.local',
    api: { listen: `127.0.0.1:${port}`, names: ['127.0.0.1'] },
    health: { listen: `127.0.0.1:${healthPort}` },
    authority: { directory: join(directory, 'authority') },
    journal: { file: join(directory, 'journal.sqlite') },
    attestation: {
      mode: 'oidc',
      oidc: { issuer: issuer.url, jwksUrl: `${issuer.url}/openid/v1/jwks`, unsafeDevIssuer: true },
    },
    limits: { requestsPerSecondPerPod: 10_000, requestBurstPerPod: 100_000 },
    log: { level: 'warn', format: 'json' },
  };
}

function memoryText(pid: number): string {
  const { rss, pss, own } = memoryOf(pid);
  const mib = (kib: number): string => `${(kib / 1024).toFixed(1)} MiB`;
  return `private ${mib(own)}, PSS ${mib(pss)}, RSS ${mib(rss)}`;
}
