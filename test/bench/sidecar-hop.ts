/**
 * Starts two real sidecars as a hop: the built program, configured by file, with identities from the citadel of the
 * bench. What a variant wants beyond the plain settings is one function over the settings of both.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { asYaml } from '../../scripts/local-mesh/mesh-plan.ts';
import { freePorts } from '../../scripts/local-mesh/ports.ts';
import type { Running } from '../../scripts/local-mesh/running.ts';
import { tool } from '../support/tool.ts';
import { until } from '../support/until.ts';
import { AS_IN_THE_IMAGE } from './built-sidecar.ts';
import { processTree } from './process-cost.ts';
import { type Hop, NotHere, type Site } from './variant.ts';

export type Settings = Readonly<Record<string, unknown>>;

export interface HopSettings {
  readonly entry: Settings;
  readonly exit: Settings;
}

export interface SidecarPorts {
  readonly entry: number;
  /** Of the listener for peers, one connection each. */
  readonly middle: number;
  /** Free, for a listener of tunnels. */
  readonly tunnel: number;
  readonly app: number;
}

/** @returns the settings changed, or the same */
export type Configure = (plain: HopSettings, ports: SidecarPorts) => HopSettings;

export interface SidecarHopOptions {
  readonly protocol: 'http' | 'tcp';
  /** The first that the built sidecar accepts is taken: a later version may know more settings. */
  readonly configure: readonly Configure[];
  readonly alpn?: readonly string[];
  /** Which port peers connect to. */
  readonly peersAt?: 'middle' | 'tunnel';
}

export function sidecarHop({ protocol, configure, alpn, peersAt = 'middle' }: SidecarHopOptions) {
  return async (site: Site, app: number): Promise<Hop> => {
    const [entry = 0, middle = 0, tunnel = 0, ...rest] = await freePorts(9);
    const ports = { entry, middle, tunnel, app };
    const plain = plainSettings(site, protocol, ports, rest);
    const accepted = await firstAccepted(
      site,
      configure.map((change) => change(plain, ports)),
    );
    const last = await startSidecar(site, `exit-${middle}`, accepted.exit);
    const first = await startSidecar(site, `entry-${entry}`, accepted.entry);
    return {
      entryPort: entry,
      middlePort: ports[peersAt],
      ...(alpn ? { alpn } : {}),
      entryPids: processTree(first.pid),
      exitPids: processTree(last.pid),
      stop: async () => void (await Promise.all([first.stop(), last.stop()])),
    };
  };
}

/** One sidecar, until it is ready. */
export async function startSidecar(site: Site, name: string, settings: Settings): Promise<Running> {
  const file = await written(site, name, settings);
  const command = [process.execPath, site.sidecar, 'run', '--config', file];
  const { listen } = settings['health'] as { listen: string };
  const running = await site.programs.serve(`${name} sidecar`, command, Number(listen.split(':')[1]), AS_IN_THE_IMAGE);
  await until(`${name} sidecar is ready`, async () => {
    if (!running.running) throw new Error(running.lines.slice(-5).join('\n'));
    const answer = await fetch(`http://${listen}/readyz`);
    await answer.text();
    return answer.ok;
  });
  return running;
}

export function plainSettings(
  { mesh }: Site,
  protocol: 'http' | 'tcp',
  { entry, middle, app }: SidecarPorts,
  rest: readonly number[],
): HopSettings {
  const at = (port: number | undefined): string => `127.0.0.1:${port}`;
  const common = (name: string, from: number): Settings => ({
    citadel: { url: mesh.plan.citadel.url, caFile: mesh.plan.rootFile },
    tokenFile: workload(mesh, name).tokenFile,
    trustDomain: workload(mesh, name).spiffeId.split('/')[2],
    workload: { name, namespace: 'bench' },
    admin: { listen: at(rest[from]) },
    metrics: { listen: at(rest[from + 1]) },
    health: { listen: at(rest[from + 2]) },
    limits: { drainSeconds: 0, idleSeconds: 3600 },
    log: { format: 'json' },
  });
  const peers = [workload(mesh, 'exit').spiffeId];
  return {
    entry: { ...common('entry', 0), outbound: [{ name: 'next', listen: at(entry), protocol, to: at(middle), peers }] },
    exit: { ...common('exit', 3), inbound: [{ name: 'app', listen: at(middle), protocol, app: at(app) }] },
  };
}

function workload(mesh: Site['mesh'], name: string): Site['mesh']['plan']['services'][number] {
  return mesh.plan.services.find((service) => service.name === name)!;
}

async function firstAccepted(site: Site, candidates: readonly HopSettings[]): Promise<HopSettings> {
  let why = '';
  for (const candidate of candidates) {
    const answers = await Promise.all(
      [candidate.entry, candidate.exit].map(async (settings, at) => {
        const file = await written(site, `try-${at}`, settings);
        return tool(process.execPath, [site.sidecar, 'run', '--print-config', '--config', file]);
      }),
    );
    const refused = answers.find(({ code }) => code !== 0);
    if (!refused) return candidate;
    why = refused.stderr.match(/unknown key `[^`]+`/g)?.join(', ') ?? refused.stderr.trim().split('\n')[0]!;
  }
  throw new NotHere(`this build does not take its settings: ${why}`);
}

async function written(site: Site, name: string, settings: Settings): Promise<string> {
  const file = join(site.directory, `sidecar-${name}.yaml`);
  await writeFile(file, asYaml(settings), { mode: 0o600 });
  return file;
}
