/** Starts and steers the cable between two places of the network lab; see lossy-link-main.ts for what it does. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { LinkCounts } from './lossy-link-main.ts';
import type { LinkConditions } from './lossy-queue.ts';

const MAIN = fileURLToPath(new URL('./lossy-link-main.ts', import.meta.url));

export class LossyLink implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #errors: string[] = [];
  #conditions: LinkConditions = { delayMs: 0, lossPercent: 0 };

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr!.on('data', (part) => this.#errors.push(String(part)));
  }

  /** @param within words before a command, so that it runs in the namespace where both devices appear */
  static async start(within: readonly string[], devices: readonly [string, string], seed: number): Promise<LossyLink> {
    const [program = '', ...words] = [...within, process.execPath, '--disable-warning=ExperimentalWarning', MAIN];
    const child = spawn(program, [...words, ...devices, String(seed)], { stdio: ['ignore', 'inherit', 'pipe', 'ipc'] });
    const link = new LossyLink(child);
    await link.#answer();
    return link;
  }

  /** From now on, for packets that enter it; both ways. */
  async set(conditions: LinkConditions): Promise<void> {
    this.#conditions = conditions;
    await this.counts();
  }

  /** Packets of both ways so far. */
  counts(): Promise<LinkCounts> {
    const answer = this.#answer();
    this.#child.send(this.#conditions);
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    // It waits for packets in threads that only the end of the process ends.
    this.#child.kill('SIGKILL');
    await exit;
  }

  async #answer(): Promise<LinkCounts> {
    const settled = new AbortController();
    try {
      return await Promise.race([
        once(this.#child, 'message', { signal: settled.signal }).then(([counts]) => counts as LinkCounts),
        once(this.#child, 'exit', { signal: settled.signal }).then(() => {
          throw new Error(`the link has ended: ${this.#errors.join('')}`);
        }),
      ]);
    } finally {
      settled.abort();
    }
  }
}
