/**
 * A data plane in several threads that listen on the same ports (SO_REUSEPORT): the kernel deals out connections.
 * All of them have the identity of the main thread, which alone fetches it, and are seen as one: one page of
 * metrics, one list of connections, one drain. It carries no byte itself.
 */
import { Refusal } from '../../shared/errors/refusal.ts';
import type { Log, LogLevel } from '../../shared/log/log.ts';
import { MergedMetric } from '../../shared/metrics/merged-metric.ts';
import type { Metric, Sample } from '../../shared/metrics/metrics.ts';
import type { PublishedIdentity } from '../identity/identity.ts';
import type { BoundPorts, DataPlane } from '../listeners/data-plane.ts';
import type { ListedConnection } from '../listeners/registry-entry.ts';
import type { ToWorker } from './messages.ts';
import { packIdentity, packTrust } from './mirrored-identity.ts';
import type { WorkerLink } from './worker-link.ts';

export interface WorkerPlaneOptions {
  readonly count: number;
  /** Starts one. @param worker its number, from 1 @param died told when it ends by itself */
  readonly start: (worker: number, died: (why: Refusal) => void) => WorkerLink;
  readonly store: PublishedIdentity;
  /** What a worker counts too, as this thread counts it. */
  readonly counted: readonly Metric[];
  readonly log: Log;
  /** A worker is gone, and with it a share of the connections: nobody can make that good but a restart. */
  readonly failed: (why: Refusal) => void;
}

export class WorkerPlane implements DataPlane {
  readonly metrics: readonly Metric[];
  readonly #options: WorkerPlaneOptions;
  readonly #links: WorkerLink[] = [];
  #samples: readonly Readonly<Record<string, readonly Sample[]>>[] = [];
  #isOpen = false;
  #unfollow: () => void = () => {};

  constructor(options: WorkerPlaneOptions) {
    this.#options = options;
    const others = (name: string): Sample[] => this.#samples.flatMap((samples) => samples[name] ?? []);
    this.metrics = options.counted.map((metric) => new MergedMetric(metric, others));
  }

  async open(): Promise<BoundPorts> {
    const { count, start, store, log, failed } = this.#options;
    const died = (why: Refusal): void => {
      log.error('worker_failed', { code: why.code, reason: why.detail });
      this.#isOpen = false;
      failed(why);
    };
    for (let worker = 1; worker <= count; worker++) this.#links.push(start(worker, died));
    this.#unfollow = store.onChange(() => this.#tellAll(this.#identity()));
    this.#tellAll(this.#identity());
    const [first, ...others] = this.#links;
    if (!first) throw new Refusal('worker_failed', 'none was started');
    // A port 0 becomes a real one in the first, and the others follow it.
    const bound = await first.ask({ about: 'open', ports: undefined });
    await Promise.all(others.map((link) => link.ask({ about: 'open', ports: bound })));
    this.#isOpen = true;
    return bound;
  }

  async refresh(): Promise<void> {
    this.#samples = await Promise.all(this.#links.map((link) => link.ask({ about: 'samples' })));
  }

  async connections(): Promise<ListedConnection[]> {
    const lists = await Promise.all(this.#links.map((link) => link.ask({ about: 'connections' })));
    return lists.flatMap((list, at) => list.map((one) => ({ worker: at + 1, ...one })));
  }

  closedPorts(): string[] {
    return this.#isOpen ? [] : ['workers'];
  }

  async drain(seconds: number): Promise<boolean> {
    const clean = await Promise.all(this.#links.map((link) => link.ask({ about: 'drain', seconds })));
    return clean.every((one) => one);
  }

  close(): void {
    this.#unfollow();
    this.#isOpen = false;
    for (const link of this.#links) link.close();
  }

  setLogLevel(level: LogLevel): void {
    this.#tellAll({ kind: 'log level', level });
  }

  #identity(): ToWorker {
    const { identity, trust } = this.#options.store;
    return { kind: 'identity', identity: identity && packIdentity(identity), trust: trust && packTrust(trust) };
  }

  #tellAll(message: ToWorker): void {
    for (const link of this.#links) link.tell(message);
  }
}
