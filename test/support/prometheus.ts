/** A real Prometheus, scraping what a test names, in a folder of its own. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { freePorts } from '../../scripts/local-mesh/ports.ts';
import { Running } from '../../scripts/local-mesh/running.ts';
import { until } from './until.ts';

export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export class Prometheus {
  readonly #running: Running;
  readonly #url: string;
  readonly #directory: string;

  private constructor(running: Running, url: string, directory: string) {
    this.#running = running;
    this.#url = url;
    this.#directory = directory;
  }

  /** @param jobs job name → ports on loopback */
  static async start(jobs: Readonly<Record<string, readonly number[]>>): Promise<Prometheus> {
    const directory = await mkdtemp(join(tmpdir(), 'sallyport-prometheus-'));
    const [port] = await freePorts(1);
    const config = {
      global: { scrape_interval: '500ms', scrape_timeout: '500ms' },
      scrape_configs: Object.entries(jobs).map(([job_name, ports]) => ({
        job_name,
        static_configs: [{ targets: ports.map((target) => `127.0.0.1:${target}`) }],
      })),
    };
    const file = join(directory, 'prometheus.yml');
    await writeFile(file, stringify(config));
    const command = ['prometheus', `--config.file=${file}`, `--storage.tsdb.path=${join(directory, 'data')}`];
    const running = new Running({
      name: 'prometheus',
      command: [...command, `--web.listen-address=127.0.0.1:${port}`],
    });
    const url = `http://127.0.0.1:${port}`;
    await until('prometheus is ready', async () => (await fetch(`${url}/-/ready`)).ok || undefined, 20_000);
    return new Prometheus(running, url, directory);
  }

  async query(expression: string): Promise<Series[]> {
    const answer = await fetch(`${this.#url}/api/v1/query?query=${encodeURIComponent(expression)}`);
    const { data } = (await answer.json()) as {
      data: { result: { metric: Record<string, string>; value: [number, string] }[] };
    };
    return data.result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }
}
