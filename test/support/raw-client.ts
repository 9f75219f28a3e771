/**
 * One TCP (or TLS) connection seen byte by byte: what was sent, what came, how it ended. Waiting is for bytes or
 * for the end, bounded, and a failure shows what had come until then.
 */
import { once } from 'node:events';
import net, { type Socket } from 'node:net';

const WITHIN_MS = 5_000;

export class RawClient implements AsyncDisposable {
  readonly socket: Socket;
  #text = '';
  #ended = false;
  #error: Error | undefined;
  readonly #waiting = new Set<() => void>();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (part: Buffer) => {
      this.#text += part.toString('latin1');
      this.#wake();
    });
    socket.on('end', () => {
      this.#ended = true;
      this.#wake();
    });
    socket.on('error', (error) => {
      this.#error = error;
      this.#wake();
    });
    socket.on('close', () => this.#wake());
  }

  static async connect(port: number): Promise<RawClient> {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  /** Everything that came, latin1. */
  get text(): string {
    return this.#text;
  }

  /** Whether the other side has closed its half in order. */
  get ended(): boolean {
    return this.#ended;
  }

  get error(): Error | undefined {
    return this.#error;
  }

  send(text: string): this {
    this.socket.write(text, 'latin1');
    return this;
  }

  /** Ends the own half. */
  end(): this {
    this.socket.end();
    return this;
  }

  /** Waits until what came holds `what`. */
  until(what: string | RegExp): Promise<string> {
    const found = (): boolean => (typeof what === 'string' ? this.#text.includes(what) : what.test(this.#text));
    return this.#when(found, `seeing ${what}`);
  }

  /** Waits until the other side has closed, in order or not. */
  closed(): Promise<string> {
    return this.#when(() => this.#ended || this.socket.destroyed, 'the end');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.socket.destroyed) return;
    this.socket.destroy();
    await once(this.socket, 'close');
  }

  #when(fact: () => boolean, what: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const over = fact();
        if (!over && !this.socket.destroyed) return;
        clearTimeout(timer);
        this.#waiting.delete(look);
        if (over) resolve(this.#text);
        else reject(new Error(`closed before ${what}; came: ${JSON.stringify(this.#text)}`));
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(look);
        reject(new Error(`${WITHIN_MS} ms passed before ${what}; came: ${JSON.stringify(this.#text)}`));
      }, WITHIN_MS);
      this.#waiting.add(look);
      look();
    });
  }

  #wake(): void {
    for (const look of [...this.#waiting]) look();
  }
}

/** Sends one thing and returns everything that comes until the other side closes. */
export async function say(port: number, text: string): Promise<string> {
  await using client = await RawClient.connect(port);
  return await client.send(text).closed();
}
