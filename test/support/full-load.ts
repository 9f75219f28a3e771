/**
 * HTTP requests as fast as they are answered, one after the other on each of many keep-alive connections. It speaks
 * bytes instead of using a client of Node, so that one process can ask two sidecars for all they have. Every answer
 * is read to its end, every connection that ends is counted, and the times of all answers are kept.
 */
import { once } from 'node:events';
import net, { type Socket } from 'node:net';

export interface FullLoadReport {
  readonly answered: number;
  /** Answers other than 200, and connections that ended or stalled, each with what came. */
  readonly failures: readonly string[];
  readonly seconds: number;
  percentileMs(share: number): number;
}

export interface FullLoadWish {
  readonly port: number;
  readonly connections: number;
  readonly method?: 'GET' | 'POST';
}

/** Times are counted in steps of a twentieth of a millisecond. */
const STEP_MS = 0.05;
const STEPS = 200_000;
/** An answer that takes longer is none. */
const STALLED_MS = 10_000;
const BODY = 'x'.repeat(64);

export class FullLoad {
  readonly #callers: readonly Caller[];
  readonly #began = performance.now();
  readonly #watch: NodeJS.Timeout;
  readonly #times: Times;

  private constructor(callers: readonly Caller[], times: Times) {
    this.#callers = callers;
    this.#times = times;
    for (const caller of callers) caller.ask();
    this.#watch = setInterval(() => callers.forEach((caller) => void caller.look()), 1_000);
  }

  static async start({ port, connections, method = 'GET' }: FullLoadWish): Promise<FullLoad> {
    const body = method === 'POST' ? `Content-Length: ${BODY.length}\r\n\r\n${BODY}` : '\r\n';
    const request = Buffer.from(`${method} / HTTP/1.1\r\nHost: app\r\n${body}`, 'latin1');
    const times = new Times();
    const callers = await Promise.all(
      Array.from({ length: connections }, async () => {
        const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
        await once(socket, 'connect');
        return new Caller(socket, request, times);
      }),
    );
    return new FullLoad(callers, times);
  }

  /** So far. */
  get failures(): readonly string[] {
    return this.#callers.flatMap(({ failure }) => failure ?? []);
  }

  get answered(): number {
    return this.#times.count;
  }

  /** Lets what was asked be answered. */
  async stop(): Promise<FullLoadReport> {
    const seconds = (performance.now() - this.#began) / 1000;
    await Promise.all(this.#callers.map((caller) => caller.stop()));
    clearInterval(this.#watch);
    const times = this.#times;
    return {
      answered: times.count,
      failures: this.failures,
      seconds,
      percentileMs: (share) => times.percentileMs(share),
    };
  }
}

class Times {
  count = 0;
  readonly #steps = new Uint32Array(STEPS);

  add(ms: number): void {
    this.count++;
    const step = Math.min(STEPS - 1, Math.floor(ms / STEP_MS));
    this.#steps[step]!++;
  }

  percentileMs(share: number): number {
    let left = Math.ceil(this.count * share);
    for (const [step, count] of this.#steps.entries()) {
      left -= count;
      if (left <= 0) return (step + 1) * STEP_MS;
    }
    return STEPS * STEP_MS;
  }
}

class Caller {
  failure: string | undefined;
  readonly #socket: Socket;
  readonly #request: Buffer;
  readonly #times: Times;
  #text = '';
  #askedAt = 0;
  #isStopping = false;
  #settled: () => void = () => {};

  constructor(socket: Socket, request: Buffer, times: Times) {
    this.#socket = socket;
    this.#request = request;
    this.#times = times;
    socket.on('data', (part: Buffer) => this.#read(part));
    socket.on('error', (error) => this.#fail(error.message));
    socket.on('close', () => this.#fail('the connection ended'));
  }

  ask(): void {
    this.#askedAt = performance.now();
    this.#socket.write(this.#request);
  }

  look(): void {
    if (performance.now() - this.#askedAt > STALLED_MS) this.#fail(`no answer within ${STALLED_MS} ms`);
  }

  stop(): Promise<void> {
    this.#isStopping = true;
    if (this.failure !== undefined) return Promise.resolve();
    return new Promise((resolve) => {
      this.#settled = resolve;
    });
  }

  #read(part: Buffer): void {
    this.#text += part.toString('latin1');
    const head = this.#text.indexOf('\r\n\r\n');
    if (head < 0) return;
    const end = endOf(this.#text, head + 4);
    if (end === undefined) return;
    if (!this.#text.startsWith('HTTP/1.1 200 ')) return void this.#fail(this.#text);
    this.#text = this.#text.slice(end);
    this.#times.add(performance.now() - this.#askedAt);
    if (this.#isStopping) this.#end();
    else this.ask();
  }

  #fail(why: string): void {
    this.failure ??= why.slice(0, 300);
    this.#end();
  }

  #end(): void {
    this.#askedAt = Number.POSITIVE_INFINITY;
    this.#socket.removeAllListeners('close').destroy();
    this.#settled();
  }
}

/** @returns where the answer ends; undefined when it has not */
function endOf(text: string, body: number): number | undefined {
  const length = /\r\ncontent-length: (\d+)/i.exec(text)?.[1];
  if (length !== undefined) return text.length < body + Number(length) ? undefined : body + Number(length);
  const last = text.indexOf('0\r\n\r\n', body);
  return last < 0 ? undefined : last + 5;
}
