/**
 * Two places with a bad network between them: two network namespaces of this machine, joined by a link that delays
 * and loses packets. Real programs run in them by their public command lines. The link is a process of ours and not
 * the kernel's netem: many kernels are built without it, and ours loses the same packets again for the same seed.
 *
 * Everything goes with the lab, also after a failed test; what a killed run has left behind, the next one removes.
 * It needs root (`whyNoNetworkLab`), and touches nothing outside its own namespaces.
 */
import { spawnSync } from 'node:child_process';
import { Running } from '../../scripts/local-mesh/running.ts';
import { LossyLink } from './lossy-link.ts';
import type { LinkCounts } from './lossy-link-main.ts';
import type { LinkConditions } from './lossy-queue.ts';
import { type ToolOptions, type ToolResult, tool } from './tool.ts';

export type { LinkConditions } from './lossy-queue.ts';

/** As a link to another region on a bad day. */
export const FAR_AND_LOSSY: LinkConditions = { delayMs: 50, lossPercent: 1 };
export const PERFECT: LinkConditions = { delayMs: 0, lossPercent: 0 };
export const CUT: LinkConditions = { delayMs: 0, lossPercent: 100 };

/** Reserved for benchmarks of networks (RFC 2544): they are on no real one, and here only within the namespaces. */
const NEAR = '198.18.0.1';
const FAR = '198.18.0.2';

const PREFIX = 'sallyport-lab-';
let made = 0;

/** @returns what is missing for a lab on this machine; undefined when nothing is */
export function whyNoNetworkLab(): string | undefined {
  if (process.geteuid?.() !== 0) return 'network namespaces need root';
  const { status, error, stderr } = spawnSync('unshare', ['--net', 'ip', 'tuntap', 'add', 'probe', 'mode', 'tun'], {
    encoding: 'utf8',
  });
  return status === 0 ? undefined : `a TUN device cannot be made: ${error?.message ?? stderr.trim()}`;
}

/** One end of the link. Its loopback is its own: what listens on 127.0.0.1 there is reached only from there. */
export class Place {
  readonly namespace: string;
  /** Where the other place reaches it. */
  readonly address: string;
  readonly #started: Running[] = [];

  constructor(namespace: string, address: string) {
    this.namespace = namespace;
    this.address = address;
  }

  /** Words before a command, so that it runs here. */
  get within(): readonly string[] {
    return ['ip', 'netns', 'exec', this.namespace];
  }

  /** Starts a program that ends with the lab. */
  start(name: string, command: readonly string[], environment: Readonly<Record<string, string>> = {}): Running {
    const diesWithUs = ['setpriv', '--pdeathsig', 'KILL', '--'];
    const running = new Running({ name, command: [...this.within, ...diesWithUs, ...command], environment });
    this.#started.push(running);
    return running;
  }

  /** Runs a program to its end. */
  tool(name: string, args: readonly string[], options: ToolOptions = {}): Promise<ToolResult> {
    return tool('ip', [...this.within.slice(1), name, ...args], options);
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.#started.toReversed().map((running) => running.stop()));
  }
}

export class NetworkLab implements AsyncDisposable {
  readonly near: Place;
  readonly far: Place;
  #link: LossyLink | undefined;

  private constructor(name: string) {
    this.near = new Place(`${name}-near`, NEAR);
    this.far = new Place(`${name}-far`, FAR);
  }

  static async open(conditions: LinkConditions, seed = 1): Promise<NetworkLab> {
    const why = whyNoNetworkLab();
    if (why) throw new Error(why);
    removeAbandoned();
    const lab = new NetworkLab(`${PREFIX}${process.pid}-${++made}`);
    open.add(lab);
    try {
      await lab.#join(seed);
      await lab.set(conditions);
      return lab;
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** From now on, both ways. */
  async set(conditions: LinkConditions): Promise<void> {
    await this.#link!.set(conditions);
  }

  /** Packets that the link has carried and lost so far. */
  counts(): Promise<LinkCounts> {
    return this.#link!.counts();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.near.stopAll(), this.far.stopAll()]);
    await this.#link?.[Symbol.asyncDispose]();
    this.removeNamespaces();
  }

  /** Synchronous, for the end of the process. */
  removeNamespaces(): void {
    for (const { namespace } of [this.near, this.far]) remove(namespace);
    open.delete(this);
  }

  /** Both devices appear in the near place; one is then moved to the far one and stays on the same link. */
  async #join(seed: number): Promise<void> {
    const [near, far] = [this.near.namespace, this.far.namespace];
    for (const namespace of [near, far]) await ip('netns', 'add', namespace);
    this.#link = await LossyLink.start(this.near.within, ['near', 'far'], seed);
    await ip('-n', near, 'link', 'set', 'far', 'netns', far);
    for (const { namespace, device, own, other } of [
      { namespace: near, device: 'near', own: NEAR, other: FAR },
      { namespace: far, device: 'far', own: FAR, other: NEAR },
    ]) {
      await ip('-n', namespace, 'address', 'add', own, 'peer', other, 'dev', device);
      await ip('-n', namespace, 'link', 'set', 'lo', 'up');
      await ip('-n', namespace, 'link', 'set', device, 'up');
    }
  }
}

const open = new Set<NetworkLab>();
process.once('exit', () => {
  for (const lab of open) lab.removeNamespaces();
});

async function ip(...args: string[]): Promise<void> {
  const { code, stderr } = await tool('ip', args);
  if (code !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr.trim()}`);
}

/** The namespaces of a run that was killed: its pid is in their names. */
function removeAbandoned(): void {
  const { stdout } = spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' });
  for (const [namespace, pid] of stdout.matchAll(new RegExp(`^${PREFIX}(\\d+)-\\S+`, 'gm'))) {
    if (!isAlive(Number(pid))) remove(namespace);
  }
}

/** And whatever still runs inside: only a lab can have started it. */
function remove(namespace: string): void {
  const { stdout } = spawnSync('ip', ['netns', 'pids', namespace], { encoding: 'utf8' });
  for (const pid of stdout.split('\n').filter(Boolean)) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // it has ended by itself
    }
  }
  spawnSync('ip', ['netns', 'delete', namespace]);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
