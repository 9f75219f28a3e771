/**
 * Turns a destination's names into addresses, again and again: a headless Service answers with its pods. A name
 * that cannot be resolved keeps its last addresses, for what is running does not stop because DNS does. It never
 * connects to anything.
 */
import { isIP } from 'node:net';
import type { Clock, Timer } from '../../shared/clock/clock.ts';
import { type Address, addressKey } from './endpoint.ts';

export interface ResolverOptions {
  readonly clock: Clock;
  /** Seconds between two looks. */
  readonly everySeconds: number;
  /** All addresses of a name. */
  readonly lookup: (host: string) => Promise<readonly string[]>;
  readonly onAddresses: (addresses: readonly Address[]) => void;
  readonly onFailure: (host: string, reason: string) => void;
}

/** Addresses beyond this of one destination are not used. */
const MOST_ADDRESSES = 1024;

export class Resolver {
  readonly #options: ResolverOptions;
  readonly #targets: readonly Address[];
  readonly #known = new Map<string, readonly string[]>();
  #timer: Timer | undefined;
  #stopped = false;

  constructor(targets: readonly Address[], options: ResolverOptions) {
    this.#targets = targets;
    this.#options = options;
  }

  /** Addresses are told at once; names when they are resolved. @returns when all were looked up once */
  async start(): Promise<void> {
    this.#tell();
    if (this.#names().length > 0) await this.#look();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  async #look(): Promise<void> {
    await Promise.all(this.#names().map((name) => this.#resolve(name)));
    if (this.#stopped) return;
    this.#tell();
    this.#timer = this.#options.clock.after(this.#options.everySeconds * 1000, () => void this.#look());
  }

  async #resolve(host: string): Promise<void> {
    try {
      const found = await this.#options.lookup(host);
      if (found.length > 0) this.#known.set(host, [...found].sort());
      else this.#options.onFailure(host, 'no address');
    } catch (error) {
      const { code = String(error) } = error as NodeJS.ErrnoException;
      this.#options.onFailure(host, code);
    }
  }

  #tell(): void {
    const all = this.#targets.flatMap(({ host, port }) =>
      isIP(host)
        ? [{ host, port }]
        : (this.#known.get(host) ?? []).map((address) => ({ host: address, port, name: host })),
    );
    const unique = new Map(all.map((address) => [addressKey(address), address]));
    this.#options.onAddresses([...unique.values()].slice(0, MOST_ADDRESSES));
  }

  #names(): string[] {
    return [...new Set(this.#targets.map(({ host }) => host).filter((host) => isIP(host) === 0))];
  }
}
