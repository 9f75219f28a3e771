/**
 * A mesh across the network lab: dev issuer, citadel and some services in the near place, the others in the far one.
 * All are real processes; what a service calls and where citadel is reached go over the link between the places.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  asYaml,
  type MeshPlan,
  planMesh,
  type ServicePlan,
  type ServiceWish,
} from '../../scripts/local-mesh/mesh-plan.ts';
import type { Running } from '../../scripts/local-mesh/running.ts';
import type { NetworkLab, Place } from './network-lab.ts';
import { until } from './until.ts';

export interface LabMeshWish {
  readonly near: readonly ServiceWish[];
  readonly far: readonly ServiceWish[];
  readonly certificateSeconds?: number;
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** In namespaces of their own all ports are free. */
const FIRST_PORT = 20_000;

export class LabMesh implements AsyncDisposable {
  readonly plan: MeshPlan;
  readonly sidecars = new Map<string, Running>();
  citadel!: Running;
  readonly #lab: NetworkLab;
  readonly #wish: LabMeshWish;

  private constructor(lab: NetworkLab, wish: LabMeshWish, directory: string) {
    this.#lab = lab;
    this.#wish = wish;
    this.plan = planMesh({
      directory,
      trustDomain: 'cluster.local',
      namespace: 'shop',
      certificateSeconds: wish.certificateSeconds ?? 3600,
      services: [...wish.near, ...wish.far],
      ports: Array.from({ length: 200 }, (_, at) => FIRST_PORT + at).values(),
    });
  }

  /** Everything up and ready. The processes end with the lab, the folder with what is returned. */
  static async start(lab: NetworkLab, wish: LabMeshWish): Promise<LabMesh> {
    const mesh = new LabMesh(lab, wish, await mkdtemp(join(tmpdir(), 'sallyport-lab-')));
    try {
      await mesh.#startAll();
      return mesh;
    } catch (error) {
      await mesh[Symbol.asyncDispose]();
      throw error;
    }
  }

  placeOf(service: string): Place {
    return this.#wish.near.some(({ name }) => name === service) ? this.#lab.near : this.#lab.far;
  }

  /** Where the app of a service calls another one: an address that is reached from its own place only. */
  url(from: string, to: string): string {
    return `http://127.0.0.1:${this.#service(from).outbound[to]}/`;
  }

  /** The folder; the processes are the lab's. */
  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.plan.directory, { recursive: true, force: true });
  }

  async #startAll(): Promise<void> {
    const { issuer, citadel, services } = this.plan;
    const { near } = this.#lab;
    const issuerProgram = await this.#program(near, 'citadel', 'dev-issuer', issuer.settings);
    await ready(near, issuerProgram, `${issuer.url}/.well-known/openid-configuration`);
    this.citadel = await this.#program(near, 'citadel', 'serve', this.#reachable(citadel.settings));
    await ready(near, this.citadel, `http://127.0.0.1:${citadel.healthPort}/readyz`);
    await Promise.all(services.map((service) => this.#startService(service)));
  }

  async #startService(service: ServicePlan): Promise<void> {
    const { name, ports, startsApp } = service;
    const place = this.placeOf(name);
    if (startsApp) {
      const environment = { NAME: name, PORT: String(ports.app), NEXT: '' };
      const app = [process.execPath, join(ROOT, 'manifests/samples/app/server.js')];
      await ready(place, place.start(`${name} app`, app, environment), `http://127.0.0.1:${ports.app}/healthz`);
    }
    const sidecar = await this.#program(place, 'sidecar', 'run', this.#acrossTheLink(service), name);
    this.sidecars.set(name, sidecar);
    await ready(place, sidecar, `http://127.0.0.1:${ports.health}/readyz`);
  }

  /** Citadel for both places. */
  #reachable(settings: Readonly<Record<string, unknown>>): object {
    const { port } = this.plan.citadel;
    return { ...settings, api: { listen: `0.0.0.0:${port}`, names: ['127.0.0.1', this.#lab.near.address] } };
  }

  /** What was planned for one loopback, for two places. */
  #acrossTheLink({ settings, ports }: ServicePlan): object {
    const { inbound, outbound, tunnel, citadel } = settings as {
      inbound: readonly object[];
      outbound: readonly { name: string; to: string }[];
      tunnel: { listen: string };
      citadel: object;
    };
    return {
      ...settings,
      citadel: { ...citadel, url: `https://${this.#lab.near.address}:${this.plan.citadel.port}` },
      inbound: inbound.map((one) => ({ ...one, listen: `0.0.0.0:${ports.inbound}` })),
      tunnel: { listen: tunnel.listen.replace('127.0.0.1', '0.0.0.0') },
      outbound: outbound.map((one) => ({
        ...one,
        to: one.to.replace('127.0.0.1', this.placeOf(one.name).address),
      })),
    };
  }

  async #program(place: Place, program: string, command: string, settings: object, name = command): Promise<Running> {
    const { directory } = this.plan;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const file = join(directory, `${program}-${name}.yaml`);
    await writeFile(file, asYaml(settings), { mode: 0o600 });
    return place.start(`${name} ${program}`, [
      ...[process.execPath, join(ROOT, 'bin', `${program}.js`), command, '--config', file],
    ]);
  }

  #service(name: string): ServicePlan {
    const service = this.plan.services.find((one) => one.name === name);
    if (!service) throw new Error(`no service ${name} in the plan`);
    return service;
  }
}

async function ready(place: Place, running: Running, url: string): Promise<void> {
  const answered = async (): Promise<boolean> => {
    if (!running.running) throw new Error('it has ended');
    const { code, stderr } = await place.tool('curl', ['-fsS', '-o', '/dev/null', '--max-time', '2', url]);
    if (code !== 0) throw new Error(stderr);
    return true;
  };
  await until(`${running.name} is ready`, answered, 20_000).catch((error: Error) => {
    throw new Error(`${error.message}\n${running.lines.slice(-10).join('\n')}`);
  });
}
