/** What inbound and outbound listeners have in common: a port that opens with a code, closes, and hands on what it accepts. */
import type net from 'node:net';
import type { Clock } from '../../shared/clock/clock.ts';
import { asRefusal, Refusal } from '../../shared/errors/refusal.ts';
import type { Log } from '../../shared/log/log.ts';
import { type ListenAddress, listen } from '../../shared/process/listen-address.ts';
import type { Direction, Relay } from '../relay/relay.ts';
import type { OpenFiles } from './open-files.ts';

export interface ListenerOptions {
  readonly name: string;
  readonly direction: Direction;
  /** `host:port` */
  readonly address: string;
  readonly server: net.Server;
  readonly relay: Pick<Relay, 'drain' | 'close'>;
  /** Other threads of this process listen there too. */
  readonly sharesPorts: boolean;
  /** What is better done before the first connection comes; it may take its time. */
  readonly prepare?: () => Promise<void>;
  readonly clock: Clock;
  /** Connections beyond this are closed before a byte is read. */
  readonly mostConnections: number;
  /** Of the whole process: while it is full, newcomers are turned away. */
  readonly files: OpenFiles;
  readonly log: Log;
  readonly refused: (refusal: Refusal) => void;
}

const LONGEST_PREPARATION_MS = 1_000;

export class Listener {
  readonly name: string;
  readonly direction: Direction;
  readonly #options: ListenerOptions;
  #bound: ListenAddress | undefined;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.name = options.name;
    this.direction = options.direction;
    const { server, mostConnections, files, log, refused } = options;
    server.maxConnections = files.full ? 0 : mostConnections;
    files.onChange((full) => {
      server.maxConnections = full ? 0 : mostConnections;
    });
    server.on('connection', (socket) => files.hold(socket));
    server.on('drop', (connection) => {
      const reason = files.full ? 'the process may open no more files' : `${mostConnections} open`;
      const refusal = new Refusal('connection_limit', reason);
      log.warn('connection_refused', {
        code: refusal.code,
        reason: refusal.detail,
        remoteAddress: connection?.remoteAddress,
      });
      refused(refusal);
    });
  }

  /** The address in use; undefined while the port is closed. */
  get bound(): ListenAddress | undefined {
    return this.#bound;
  }

  /** @throws {Refusal} address_in_use, address_unusable, with the listener's name */
  async open(): Promise<ListenAddress> {
    const { server, address, log, sharesPorts } = this.#options;
    try {
      await this.#prepared();
      this.#bound = await listen(server, address, { reusePort: sharesPorts });
    } catch (error) {
      const { code, detail, cause } = asRefusal(error, 'address_unusable');
      throw new Refusal(code, { detail: `${this.direction} listener ${this.name}: ${detail}`, cause });
    }
    server.on('error', (error) => log.error('listener_failed', { reason: error.message }));
    return this.#bound;
  }

  /** Not for long: a destination that cannot be found yet must not keep the port shut. */
  #prepared(): Promise<void> {
    const { prepare, clock } = this.#options;
    if (!prepare) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = clock.after(LONGEST_PREPARATION_MS, resolve);
      void prepare().finally(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  /** Closes the port. Open connections stay. */
  stopAccepting(): void {
    this.#bound = undefined;
    this.#options.server.close();
  }

  /** Closes the port; what is open finishes what it is doing. */
  drain(): void {
    this.stopAccepting();
    this.#options.relay.drain();
  }

  /** Closes the port and cuts every connection. */
  close(): void {
    this.stopAccepting();
    this.#options.relay.close();
  }
}
