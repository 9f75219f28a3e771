/**
 * A steady stream of HTTP requests over a fixed set of keep-alive connections, as an app would make them. It
 * counts answers, failures and every connection that had to be replaced, so that "no connection is reset" is a
 * number and not a hope.
 */
import { Agent, request } from 'node:http';

export interface LoadReport {
  readonly sent: number;
  readonly answered: number;
  /** Requests without an answer of 200, each with its reason. */
  readonly failures: readonly string[];
  /** Connections that ended while the load ran. */
  readonly lost: number;
}

export interface LoadWish {
  readonly port: number;
  readonly path?: string;
  readonly connections: number;
  readonly perSecond: number;
}

export class SteadyLoad {
  readonly #agent: Agent;
  readonly #wish: LoadWish;
  readonly #timer: NodeJS.Timeout;
  readonly #failures: string[] = [];
  readonly #inFlight = new Set<Promise<void>>();
  #sent = 0;
  #answered = 0;
  #lost = 0;
  #stopped = false;
  /** How many should have been sent by now: late timers catch up, so the rate holds on a busy machine. */
  readonly #began = performance.now();

  constructor(wish: LoadWish) {
    this.#wish = wish;
    this.#agent = new Agent({ keepAlive: true, maxSockets: wish.connections, maxFreeSockets: wish.connections });
    const create = this.#agent.createConnection.bind(this.#agent);
    this.#agent.createConnection = (options, done) => {
      const socket = create(options, done);
      socket?.once('close', () => {
        if (!this.#stopped) this.#lost++;
      });
      return socket;
    };
    this.#timer = setInterval(() => this.#catchUp(), 10);
  }

  get answered(): number {
    return this.#answered;
  }

  get failures(): readonly string[] {
    return this.#failures;
  }

  async stop(): Promise<LoadReport> {
    clearInterval(this.#timer);
    await Promise.all(this.#inFlight);
    this.#stopped = true;
    this.#agent.destroy();
    return { sent: this.#sent, answered: this.#answered, failures: this.#failures, lost: this.#lost };
  }

  #catchUp(): void {
    const due = ((performance.now() - this.#began) / 1000) * this.#wish.perSecond;
    while (this.#sent < due) {
      this.#sent++;
      const one = this.#one().finally(() => this.#inFlight.delete(one));
      this.#inFlight.add(one);
    }
  }

  #one(): Promise<void> {
    const { port, path = '/' } = this.#wish;
    const sentAt = performance.now();
    return new Promise((done) => {
      const resolve = (): void => {
        clearTimeout(deadline);
        done();
      };
      const failed = (why: string): void => {
        this.#failures.push(`${Math.round(sentAt - this.#began)} ms after the start: ${why}`);
        resolve();
      };
      const call = request({ host: '127.0.0.1', port, path, agent: this.#agent }, (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => {
          body += part;
        });
        response.on('error', (error) => failed(`answer broke off: ${error.message}`));
        response.on('end', () => {
          if (response.statusCode !== 200) return failed(`status ${response.statusCode} ${body.slice(0, 200)}`);
          this.#answered++;
          resolve();
        });
      });
      // A timer of its own: a timeout of the socket would outlive the request on an idle connection.
      const deadline = setTimeout(() => call.destroy(new Error('no answer within 10 s')), 10_000);
      call.on('error', (error) => failed(error.message));
      call.end();
    });
  }
}
