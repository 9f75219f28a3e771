/**
 * A port that takes mutual TLS and, while a mesh is being moved, connections without it. The first byte decides: only
 * TLS begins with that of a handshake record. Who stays silent is taken for plaintext, because a TLS client always
 * speaks first. It exists only where the settings say `unsafePlaintext`, and proves nothing about anybody.
 */
import net, { type Socket } from 'node:net';
import type tls from 'node:tls';
import type { Clock, Timer } from '../../shared/clock/clock.ts';
import { spokenIn, TLS_HANDSHAKE } from '../relay/protocol-detect.ts';

export interface PlaintextGateOptions {
  readonly mtls: tls.Server;
  readonly clock: Clock;
  /** How long a client may be silent. */
  readonly detectMs: number;
  /** Takes a socket of which nothing has been read yet. */
  readonly onPlain: (socket: Socket) => void;
}

export class PlaintextGate {
  /** Not listening yet. */
  readonly server: net.Server;
  readonly #options: PlaintextGateOptions;
  readonly #looks = new Set<Look>();

  constructor(options: PlaintextGateOptions) {
    this.#options = options;
    this.server = net.createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) =>
      this.#look(socket),
    );
    this.server.on('close', () => options.mtls.emit('close'));
  }

  /** Ends who has not said anything yet. */
  drain(): void {
    for (const look of [...this.#looks]) look.end();
  }

  #look(socket: Socket): void {
    const { mtls, clock, detectMs, onPlain } = this.#options;
    const look = new Look(socket, (isTls) => {
      this.#looks.delete(look);
      if (isTls === undefined) return;
      if (isTls) mtls.emit('connection', socket);
      else onPlain(socket);
    });
    this.#looks.add(look);
    look.begin(clock, detectMs);
  }
}

/** One connection, until it has shown whether it speaks TLS. */
class Look {
  readonly #socket: Socket;
  /** @param isTls undefined when it is gone */
  readonly #decided: (isTls: boolean | undefined) => void;
  #heard: Buffer = Buffer.alloc(0);
  #timer: Timer | undefined;

  constructor(socket: Socket, decided: (isTls: boolean | undefined) => void) {
    this.#socket = socket;
    this.#decided = decided;
  }

  begin(clock: Clock, detectMs: number): void {
    const { onBytes, end } = this;
    // Who has begun like TLS and stops there is left to the gate that bounds handshakes.
    this.#timer = clock.after(detectMs, () => this.#decide(this.#heard.length > 0));
    this.#socket.on('data', onBytes).on('end', end).on('error', end).on('close', end).resume();
  }

  readonly end = (): void => {
    this.#leave();
    // What is still done to it is of no interest.
    this.#socket.on('error', () => {});
    this.#socket.destroy();
    this.#decided(undefined);
  };

  readonly onBytes = (bytes: Buffer): void => {
    this.#heard = this.#heard.length === 0 ? bytes : Buffer.concat([this.#heard, bytes]);
    const spoken = spokenIn(this.#heard);
    if (this.#heard[0] !== TLS_HANDSHAKE) this.#decide(false);
    else if (spoken !== undefined) this.#decide(spoken === 'tls');
  };

  #decide(isTls: boolean): void {
    this.#leave();
    this.#socket.pause();
    if (this.#heard.length > 0) this.#socket.unshift(this.#heard);
    this.#decided(isTls);
  }

  #leave(): void {
    const { onBytes, end } = this;
    this.#timer?.cancel();
    this.#socket.off('data', onBytes).off('end', end).off('error', end).off('close', end);
  }
}
