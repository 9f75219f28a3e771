/**
 * The real citadel as a process of its own, in a folder of its own, with the tokens that a test brings. It listens
 * on ports that the kernel picks and keeps every line it wrote. It always runs the sources, never a build that may
 * be older than they are.
 */
import { generateKeyPairSync } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { asYaml } from '../../scripts/local-mesh/mesh-plan.ts';
import { type Exit, type LogEvent, Running } from '../../scripts/local-mesh/running.ts';
import { buildCsr } from '../../shared/x509/csr-builder.ts';
import { encodePem } from '../../shared/x509/pem.ts';
import { CitadelClient } from './citadel-client.ts';
import { until } from './until.ts';

const ROOT = join(import.meta.dirname, '../..');

type Section = Readonly<Record<string, unknown>>;

/** Who vouches for the tokens of a test: settings for citadel's attestation, its files written where it reads them. */
export interface TokenSource {
  attestation(directory: string): Promise<Section>;
}

export interface CitadelWish {
  readonly tokens: TokenSource;
  /** Merged over the settings of the test, section by section. */
  readonly settings?: Readonly<Record<string, Section>>;
  /** Words before the command itself, such as `prlimit`. */
  readonly under?: (directory: string) => readonly string[];
}

/** A row of the journal, as it stands in the file. */
export type JournalRow = Readonly<Record<string, unknown>>;

export class CitadelProcess implements AsyncDisposable {
  readonly directory: string;
  readonly #wish: CitadelWish;
  readonly #clients = new Set<CitadelClient>();
  #running: Running | undefined;
  #output = '';
  #ports = { api: 0, health: 0 };

  private constructor(directory: string, wish: CitadelWish) {
    this.directory = directory;
    this.#wish = wish;
  }

  /** Its configuration and nothing else: for tests that prepare its files, or watch how it does not start. */
  static async planned(wish: CitadelWish): Promise<CitadelProcess> {
    const directory = await mkdtemp(join(tmpdir(), 'sallyport-citadel-'));
    const citadel = new CitadelProcess(directory, wish);
    await mkdir(citadel.authorityDirectory, { mode: 0o700 });
    await mkdir(dirname(citadel.journalFile), { mode: 0o700 });
    await writeFile(citadel.configFile, asYaml(await citadel.#settings()), { mode: 0o600 });
    return citadel;
  }

  /** Started and ready. */
  static async start(wish: CitadelWish): Promise<CitadelProcess> {
    const citadel = await CitadelProcess.planned(wish);
    try {
      await citadel.start();
      await citadel.ready();
      return citadel;
    } catch (error) {
      await citadel[Symbol.asyncDispose]();
      throw error;
    }
  }

  get authorityDirectory(): string {
    return join(this.directory, 'authority');
  }

  get configFile(): string {
    return join(this.directory, 'citadel.yaml');
  }

  get journalFile(): string {
    return join(this.directory, 'journal', 'journal.sqlite');
  }

  get rootFile(): string {
    return join(this.authorityDirectory, 'root-cert.pem');
  }

  get port(): number {
    return this.#ports.api;
  }

  get healthPort(): number {
    return this.#ports.health;
  }

  get running(): Running {
    if (!this.#running) throw new Error('citadel was not started');
    return this.#running;
  }

  /** Everything it wrote, over all its lives. */
  get output(): string {
    return this.#output;
  }

  /** Begins a life and waits until it listens; readiness may come later. */
  async start(): Promise<void> {
    const { fields } = await this.launch().event('citadel listens', ({ event }) => event === 'started', 20_000);
    const [api, health] = [fields['api'], fields['health']] as { port: number }[];
    this.#ports = { api: api!.port, health: health!.port };
  }

  /** Begins a life without waiting for anything. */
  launch(): Running {
    const command = [process.execPath, join(ROOT, 'citadel/main.ts'), 'serve', '--config', this.configFile];
    const running = new Running({
      name: 'citadel',
      command: [...(this.#wish.under?.(this.directory) ?? []), ...command],
      // Loads as fast as through bin/citadel.js.
      environment: { NODE_COMPILE_CACHE: join(ROOT, 'node_modules/.cache/sallyport') },
    });
    for (const stream of [running.child.stdout, running.child.stderr]) {
      stream?.on('data', (part: Buffer) => {
        this.#output += part.toString('utf8');
      });
    }
    this.#running = running;
    return running;
  }

  /** Ends at once, as a power cut would. */
  kill(): Promise<Exit> {
    return this.running.kill();
  }

  stop(): Promise<Exit> {
    return this.running.stop();
  }

  ready(): Promise<true> {
    const probe = async (): Promise<true | undefined> => {
      if (!this.running.running) throw new Error(`citadel ended: ${this.#output.slice(-2000)}`);
      const { ready, missing } = await this.readiness();
      if (!ready) throw new Error(missing.join('; '));
      return true;
    };
    return until('citadel is ready', probe, 15_000);
  }

  async readiness(): Promise<{ status: number; ready: boolean; missing: string[] }> {
    const answer = await fetch(`http://127.0.0.1:${this.healthPort}/readyz`);
    const { ready, missing } = (await answer.json()) as { ready: boolean; missing: { what: string; why: string }[] };
    return { status: answer.status, ready, missing: missing.map(({ what, why }) => `${what}: ${why}`) };
  }

  /** A client of the present life. It is closed with citadel. */
  async client(sockets?: number): Promise<CitadelClient> {
    const ca = await readFile(this.rootFile);
    const client = new CitadelClient({ port: this.port, ca, ...(sockets === undefined ? {} : { sockets }) });
    this.#clients.add(client);
    return client;
  }

  /** One series as the page of metrics has it, `name{label="value"}`; 0 when it is not there. */
  async metric(series: string): Promise<number> {
    const page = await (await fetch(`http://127.0.0.1:${this.healthPort}/metrics`)).text();
    const line = page.split('\n').find((one) => one.startsWith(`${series} `));
    return line === undefined ? 0 : Number(line.slice(series.length + 1));
  }

  refusals(code: string): Promise<number> {
    return this.metric(`citadel_refusals_total{code="${code}"}`);
  }

  /** The log line of one request, by the id that its answer carries. */
  async logged(requestId: unknown): Promise<LogEvent> {
    if (typeof requestId !== 'string') throw new Error('the answer carries no request id');
    return this.running.event(`the line of request ${requestId}`, ({ fields }) => fields['requestId'] === requestId);
  }

  /** Reads the file itself, as an auditor would. */
  journal(): JournalRow[] {
    return journalRows(this.journalFile);
  }

  recorded(requestId: unknown): JournalRow[] {
    return this.journal().filter((row) => row['request_id'] === requestId);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.#running?.stop();
    await rm(this.directory, { recursive: true, force: true });
  }

  async #settings(): Promise<Section> {
    const base: Record<string, Section> = {
      api: { listen: '127.0.0.1:0', names: ['127.0.0.1', 'localhost'] },
      health: { listen: '127.0.0.1:0' },
      authority: { directory: this.authorityDirectory },
      journal: { file: this.journalFile },
      attestation: await this.#wish.tokens.attestation(this.directory),
      limits: { requestsPerSecondPerPod: 10_000, requestBurstPerPod: 100_000 },
      // Nobody routes by readiness here.
      shutdown: { announceSeconds: 0 },
      log: { level: 'info', format: 'json' },
    };
    for (const [name, section] of Object.entries(this.#wish.settings ?? {})) {
      base[name] = { ...base[name], ...section };
    }
    return { trustDomain: 'cluster.local', ...base };
  }
}

export function journalRows(file: string): JournalRow[] {
  using database = new DatabaseSync(file);
  return database.prepare('SELECT * FROM entries ORDER BY entry').all();
}

/** What SQLite itself thinks of the file: `[{ integrity_check: 'ok' }]`. */
export function integrityOf(file: string): JournalRow[] {
  using database = new DatabaseSync(file);
  return database
    .prepare('PRAGMA integrity_check')
    .all()
    .map((row) => ({ ...row }));
}

/** A good CSR for a fresh key that asks for no name, as a sidecar sends it. */
export function freshCsr(): string {
  return encodePem('CERTIFICATE REQUEST', buildCsr(generateKeyPairSync('ec', { namedCurve: 'P-256' })));
}
