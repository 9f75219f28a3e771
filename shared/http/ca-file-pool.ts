/**
 * A pool that trusts what a CA file says, also after the file changed: an authority is replaced while programs run.
 * The file is looked at again at most every half minute; connections under the old content end after their requests.
 * When the file cannot be read any more, the last content stays in use.
 */
import { readFile } from 'node:fs/promises';
import type { Clock } from '../clock/clock.ts';
import { type HttpPool, type HttpPoolOptions, openPool } from './undici.ts';

export interface CaFilePoolOptions extends Omit<HttpPoolOptions, 'ca'> {
  readonly origin: string;
  readonly clock: Clock;
  /** None: Node's own list of authorities. */
  readonly caFile?: string;
}

const LOOK_AGAIN_MS = 30_000;

export class CaFilePool {
  readonly #options: CaFilePoolOptions;
  #pool: HttpPool | undefined;
  #ca: string | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(options: CaFilePoolOptions) {
    this.#options = options;
  }

  /** @throws the error of the file system when the CA file could never be read */
  async current(): Promise<HttpPool> {
    if (this.#closed) throw new Error('the pool is closed');
    const { clock, caFile } = this.#options;
    if (this.#pool && (caFile === undefined || clock.monotonic() - this.#lookedAt < LOOK_AGAIN_MS)) return this.#pool;
    this.#lookedAt = clock.monotonic();
    const ca = caFile === undefined ? undefined : await this.#read(caFile);
    if (this.#closed) throw new Error('the pool is closed');
    if (this.#pool && ca === this.#ca) return this.#pool;
    const outdated = this.#pool;
    this.#ca = ca;
    this.#pool = openPool(this.#options.origin, ca === undefined ? this.#options : { ...this.#options, ca });
    // Its requests in flight finish by their own deadlines; nobody waits for them here.
    outdated?.close().catch(() => outdated.destroy());
    return this.#pool;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#pool?.destroy();
  }

  async #read(caFile: string): Promise<string | undefined> {
    try {
      return await readFile(caFile, 'utf8');
    } catch (error) {
      if (this.#pool) return this.#ca;
      this.#lookedAt = Number.NEGATIVE_INFINITY;
      throw error;
    }
  }
}
