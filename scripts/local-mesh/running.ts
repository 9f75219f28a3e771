/**
 * One child process whose log lines are events. It ends only the process it started, by its own handle, and
 * keeps the last lines so that a failure can be explained.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface LogEvent {
  /** The name the process was started under. */
  readonly from: string;
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface RunOptions {
  readonly name: string;
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly onEvent?: (event: LogEvent) => void;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const KEPT_LINES = 200;

export class Running {
  readonly name: string;
  readonly child: ChildProcess;
  readonly exited: Promise<Exit>;
  /** The last lines of both outputs. */
  readonly lines: string[] = [];
  readonly #watchers = new Set<(event: LogEvent) => void>();
  readonly #seen: LogEvent[] = [];
  #exit: Exit | undefined;

  constructor({ name, command, environment = {}, onEvent }: RunOptions) {
    this.name = name;
    const [program, ...rest] = command as [string, ...string[]];
    this.child = spawn(program, rest, { env: { ...process.env, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.exited = new Promise((resolve) => {
      const ended = (exit: Exit): void => {
        this.#exit ??= exit;
        resolve(exit);
      };
      this.child.once('error', (error) => {
        this.#keep(`${name}: ${error.message}`);
        ended({ code: -1, signal: null });
      });
      this.child.once('close', (code, signal) => ended({ code, signal }));
    });
    if (onEvent) this.#watchers.add(onEvent);
    for (const stream of [this.child.stdout, this.child.stderr]) {
      createInterface({ input: stream! }).on('line', (line) => this.#read(line));
    }
  }

  get pid(): number {
    return this.child.pid ?? -1;
  }

  get running(): boolean {
    return this.#exit === undefined;
  }

  /** Resolves with the first event, past or future, that fits; rejects when the process ends or time is up. */
  event(what: string, fits: (event: LogEvent) => boolean, withinMs = 10_000): Promise<LogEvent> {
    const past = this.#seen.find(fits);
    return past ? Promise.resolve(past) : this.next(what, fits, withinMs);
  }

  /** As `event`, but only for what happens from now on. */
  next(what: string, fits: (event: LogEvent) => boolean, withinMs = 10_000): Promise<LogEvent> {
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void): void => {
        clearTimeout(deadline);
        this.#watchers.delete(watch);
        finish();
      };
      const watch = (event: LogEvent): void => {
        if (fits(event)) settle(() => resolve(event));
      };
      const fail = (why: string): void =>
        settle(() => reject(new Error(`${this.name}: ${why} before "${what}"\n${this.lines.slice(-20).join('\n')}`)));
      const deadline = setTimeout(() => fail(`${withinMs} ms passed`), withinMs);
      this.#watchers.add(watch);
      void this.exited.then(({ code }) => fail(`ended with code ${code}`));
    });
  }

  /** Events seen so far that fit. */
  events(fits: (event: LogEvent) => boolean): LogEvent[] {
    return this.#seen.filter(fits);
  }

  /** Sends SIGTERM, waits, then SIGKILL. Does nothing to a process that has ended. */
  async stop(graceMs = 5_000): Promise<Exit> {
    if (this.#exit) return this.#exit;
    this.child.kill('SIGTERM');
    const deadline = setTimeout(() => this.child.kill('SIGKILL'), graceMs);
    const exit = await this.exited;
    clearTimeout(deadline);
    return exit;
  }

  async kill(): Promise<Exit> {
    this.child.kill('SIGKILL');
    return this.exited;
  }

  #read(line: string): void {
    this.#keep(line);
    const event = eventIn(this.name, line);
    if (!event) return;
    this.#seen.push(event);
    if (this.#seen.length > 20_000) this.#seen.splice(0, 10_000);
    for (const watch of [...this.#watchers]) watch(event);
  }

  #keep(line: string): void {
    this.lines.push(line);
    if (this.lines.length > KEPT_LINES) this.lines.shift();
  }
}

function eventIn(from: string, line: string): LogEvent | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const { event, ...fields } = JSON.parse(line) as Record<string, unknown>;
    return typeof event === 'string' ? { from, event, fields } : undefined;
  } catch {
    return undefined; // a line that only looks like JSON is kept as text above
  }
}
