/**
 * The processes of a bench: started here, and ended here whatever happens. Each dies with the bench even when the
 * bench itself is killed (`setpriv --pdeathsig`), so that no proxy is left behind and eats the next figures.
 */
import { Running } from '../../scripts/local-mesh/running.ts';
import { listens } from '../support/listens.ts';
import { until } from '../support/until.ts';

const DIES_WITH_US = ['setpriv', '--pdeathsig', 'TERM', '--'];

export class Programs implements AsyncDisposable {
  readonly #signal: AbortSignal;
  readonly #started = new Set<Running>();

  /** @param signal when it fires, loads end at once and nothing new is started */
  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** Starts a server and waits until something listens on the port. */
  async serve(
    name: string,
    command: readonly string[],
    port: number,
    environment: Readonly<Record<string, string>> = {},
  ): Promise<Running> {
    const running = this.#start(name, command, environment);
    await until(`${name} listens on ${port}`, () => {
      if (!running.running) throw new Ended(running);
      return listens(port);
    }).catch((error: Error) => {
      throw new Error(`${error.message}\n${running.lines.slice(-10).join('\n')}`);
    });
    return running;
  }

  /** Runs a program to its end. @returns what it printed; fails when it fails */
  async output(name: string, command: readonly string[]): Promise<string> {
    const running = this.#start(name, command, {});
    const stop = (): void => void running.kill();
    this.#signal.addEventListener('abort', stop, { once: true });
    const { code } = await running.exited;
    this.#signal.removeEventListener('abort', stop);
    this.#started.delete(running);
    this.#signal.throwIfAborted();
    if (code !== 0) throw new Error(`${name} ended with ${code}: ${running.lines.join('\n')}`);
    return running.lines.join('\n');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#started].toReversed().map((running) => running.stop(2_000)));
  }

  #start(name: string, command: readonly string[], environment: Readonly<Record<string, string>>): Running {
    this.#signal.throwIfAborted();
    const running = new Running({ name, command: [...DIES_WITH_US, ...command], environment });
    this.#started.add(running);
    return running;
  }
}

class Ended extends Error {
  constructor(running: Running) {
    super(`${running.name} has ended: ${running.lines.slice(-5).join(' | ')}`);
  }
}
