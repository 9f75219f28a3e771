/**
 * What the Dockerfile would make, without a container engine: a clean copy of exactly the files that it copies, its
 * build commands run on it, the last stage's files put together and made read-only. Programs then run from there as
 * the image's user (when we are root; else as ourselves, who may not write there either).
 */
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Running } from '../../scripts/local-mesh/running.ts';
import { type ToolResult, tool } from '../support/tool.ts';
import { readDockerfile } from './dockerfile.ts';
import { ROOT } from './rendered.ts';

const AS_ROOT = process.getuid?.() === 0;
const USER = 65_532;

export class ImageTree {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async build(): Promise<ImageTree> {
    const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-image-'));
    chmodSync(folder, 0o755);
    const tree = new ImageTree(folder);
    try {
      await tree.#runBuildStage();
      tree.#assemble();
    } catch (error) {
      tree.remove();
      throw error;
    }
    return tree;
  }

  /** The image's working directory. */
  get app(): string {
    return path.join(this.#folder, 'app');
  }

  /** A folder that the image's user owns, as a volume would be. */
  volume(name: string): string {
    const folder = path.join(this.#folder, 'volumes', name);
    mkdirSync(folder, { recursive: true, mode: 0o755 });
    return folder;
  }

  /** Gives a folder and what is in it to the image's user. */
  async own(folder: string): Promise<void> {
    if (AS_ROOT) await tool('chown', ['-R', `${USER}:${USER}`, folder]);
  }

  /** Runs a program of the image to its end. */
  run(words: readonly string[]): Promise<ToolResult> {
    const [command, ...args] = this.#command(words);
    return tool(command!, args, { cwd: this.app });
  }

  /** Starts a program of the image. */
  start(words: readonly string[]): Running {
    return new Running({ name: words.slice(0, 2).join(' '), command: this.#command(words) });
  }

  /** Every file of the image, from its working directory. */
  files(): string[] {
    return filesUnder(this.app).map((file) => path.relative(this.app, file));
  }

  remove(): void {
    if (existsSync(this.app)) for (const folder of foldersUnder(this.app)) chmodSync(folder, 0o755);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** As the image's links have it; nothing of our environment but a path with Node on it. */
  #command([program, ...args]: readonly string[]): string[] {
    const user = AS_ROOT ? ['setpriv', `--reuid=${USER}`, `--regid=${USER}`, '--clear-groups', '--no-new-privs'] : [];
    const node = path.join(this.#folder, 'bin');
    return [
      ...user,
      'env',
      '-i',
      `PATH=${node}:/usr/bin:/bin`,
      'NODE_ENV=production',
      'node',
      `bin/${program}.js`,
      ...args,
    ].map((word) => (word.startsWith('bin/') ? path.join(this.app, word) : word));
  }

  async #runBuildStage(): Promise<void> {
    const { copies, runs } = readDockerfile();
    const folder = path.join(this.#folder, 'build');
    mkdirSync(folder);
    for (const { stage, source, to } of copies)
      if (stage === 'build') copy(path.join(ROOT, source), path.join(folder, to));
    for (const { stage, command } of runs) {
      if (stage !== 'build') continue;
      const path_ = `${path.dirname(process.execPath)}:${process.env['PATH']}`;
      const { code, stdout, stderr } = await tool('sh', ['-c', command], {
        cwd: folder,
        withinMs: 180_000,
        environment: { PATH: path_ },
      });
      if (code !== 0) throw new Error(`RUN ${command}: exit ${code}\n${stdout}\n${stderr}`);
    }
  }

  #assemble(): void {
    const { copies } = readDockerfile();
    for (const { stage, from, source, to } of copies) {
      if (stage !== 'runtime') continue;
      const origin =
        from === undefined
          ? path.join(ROOT, source)
          : path.join(this.#folder, 'build', path.relative('/build', source));
      copy(origin, path.join(this.app, to));
    }
    for (const file of filesUnder(this.app)) chmodSync(file, lstatSync(file).mode & 0o555);
    for (const folder of foldersUnder(this.app)) chmodSync(folder, 0o555);
    const node = path.join(this.#folder, 'bin/node');
    mkdirSync(path.dirname(node));
    copyFileSync(process.execPath, node);
    chmodSync(node, 0o555);
  }
}

function copy(from: string, to: string): void {
  mkdirSync(path.dirname(to), { recursive: true });
  cpSync(from, to, { recursive: true, verbatimSymlinks: true });
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
}

function foldersUnder(folder: string): string[] {
  const inner = readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => path.join(entry.parentPath, entry.name));
  return [folder, ...inner];
}
