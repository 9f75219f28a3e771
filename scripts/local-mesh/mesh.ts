/**
 * Starts a planned mesh as real processes, in the order in which they need each other, and ends exactly those.
 * Every program runs by its public command line with a configuration file, as a user would run it.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { asYaml, type MeshPlan, type ServicePlan } from './mesh-plan.ts';
import { type LogEvent, Running } from './running.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface Service {
  readonly plan: ServicePlan;
  readonly sidecar: Running;
  /** Absent when the caller plays the app. */
  readonly app: Running | undefined;
}

export class Mesh {
  readonly plan: MeshPlan;
  readonly services = new Map<string, Service>();
  issuer!: Running;
  citadel!: Running;
  readonly #onEvent: (event: LogEvent) => void;
  readonly #started: Running[] = [];
  #stopped = false;

  constructor(plan: MeshPlan, onEvent: (event: LogEvent) => void = () => {}) {
    this.plan = plan;
    this.#onEvent = onEvent;
  }

  /** Everything up and ready, or an error that names the first process that is not. */
  async start(): Promise<void> {
    await this.startIssuer();
    await this.startCitadel();
    await Promise.all(this.plan.services.map((service) => this.startService(service.name)));
  }

  async startIssuer(): Promise<void> {
    const { issuer, directory } = this.plan;
    this.issuer = this.run('dev-issuer', [
      'bin/citadel.js',
      'dev-issuer',
      '--config',
      await configFile(directory, 'dev-issuer', issuer.settings),
    ]);
    await answers(this.issuer, `${issuer.url}/.well-known/openid-configuration`);
  }

  async startCitadel(): Promise<void> {
    const { citadel, directory } = this.plan;
    this.citadel = this.run('citadel', [
      'bin/citadel.js',
      'serve',
      '--config',
      await configFile(directory, 'citadel', citadel.settings),
    ]);
    await answers(this.citadel, `http://127.0.0.1:${citadel.healthPort}/readyz`);
  }

  async startService(name: string): Promise<Service> {
    const plan = this.plan.services.find((service) => service.name === name);
    if (!plan) throw new Error(`no service ${name} in the plan`);
    const app = plan.startsApp ? this.#startApp(plan) : undefined;
    const sidecar = this.run(`${name} sidecar`, [
      'bin/sidecar.js',
      'run',
      '--config',
      await configFile(this.plan.directory, `${name}-sidecar`, plan.settings),
    ]);
    const service = { plan, sidecar, app };
    this.services.set(name, service);
    await answers(sidecar, `http://127.0.0.1:${plan.ports.health}/readyz`);
    if (app) await answers(app, `http://127.0.0.1:${plan.ports.app}/healthz`);
    return service;
  }

  service(name: string): Service {
    const service = this.services.get(name);
    if (!service) throw new Error(`service ${name} was not started`);
    return service;
  }

  /** Runs one more program of ours; it ends with the mesh. @throws {Error} after `stop`: nobody would end it */
  run(name: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}): Running {
    if (this.#stopped) throw new Error(`${name} is not started: the mesh has been stopped`);
    const running = new Running({
      name,
      command: [process.execPath, ...args.map((arg, at) => (at === 0 ? join(ROOT, arg) : arg))],
      environment,
      onEvent: this.#onEvent,
    });
    this.#started.push(running);
    return running;
  }

  /** Ends everything that was started, at once. Safe to call twice. Nothing can be started afterwards. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#started.toReversed().map((running) => running.stop()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #startApp({ name, ports, next, outbound }: ServicePlan): Running {
    const environment = {
      NAME: name,
      PORT: String(ports.app),
      NEXT: next === undefined ? '' : `http://127.0.0.1:${outbound[next]}/`,
    };
    return this.run(`${name} app`, ['manifests/samples/app/server.js'], environment);
  }
}

async function configFile(directory: string, name: string, settings: object): Promise<string> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const file = join(directory, `${name}.yaml`);
  await writeFile(file, asYaml(settings), { mode: 0o600 });
  return file;
}

/** Asks until the answer is 200, the process has ended, or 15 s are over. */
async function answers(running: Running, url: string): Promise<void> {
  const deadline = performance.now() + 15_000;
  let last = 'no answer';
  while (running.running && performance.now() < deadline) {
    try {
      const answer = await fetch(url, { signal: AbortSignal.timeout(1_000) });
      const text = await answer.text();
      if (answer.ok) return;
      last = `${answer.status} ${text.slice(0, 200)}`;
    } catch (error) {
      last = error instanceof Error ? String(error.cause ?? error.message) : String(error);
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error(`${running.name} did not become ready (${last})\n${running.lines.slice(-20).join('\n')}`);
}
