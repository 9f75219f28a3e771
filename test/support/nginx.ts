/** A real nginx in the foreground, in a folder of its own, with the servers that a test gives it. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Running } from '../../scripts/local-mesh/running.ts';
import { listens } from './listens.ts';
import { until } from './until.ts';

export class Nginx implements AsyncDisposable {
  readonly #running: Running;

  private constructor(running: Running) {
    this.#running = running;
  }

  /**
   * @param servers `server { … }` blocks of its configuration
   * @param port one that is open when it is ready
   */
  static async start(folder: string, servers: string, port: number): Promise<Nginx> {
    const directory = join(folder, 'nginx');
    await mkdir(directory);
    const file = join(directory, 'nginx.conf');
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (kind) => `${kind}_temp_path ${join(directory, kind)};`,
    );
    // Workers under the name of whoever runs the test, so that they may use its folder.
    const user = process.getuid?.() === 0 ? 'user root;' : '';
    const main = `daemon off; ${user} worker_processes 1; pid ${join(directory, 'pid')}; error_log stderr notice;`;
    await writeFile(file, `${main}\nevents {}\nhttp { access_log off; ${temporary.join(' ')}\n${servers}\n}\n`);
    const running = new Running({ name: 'nginx', command: ['nginx', '-p', directory, '-e', 'stderr', '-c', file] });
    await until('nginx listens', () => {
      if (!running.running) throw new Error(running.lines.join('\n'));
      return listens(port);
    });
    return new Nginx(running);
  }

  /** What it complained about. */
  get lines(): readonly string[] {
    return this.#running.lines;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running.stop();
  }
}
