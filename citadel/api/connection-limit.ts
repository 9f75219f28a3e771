/**
 * The limit of connections in two steps: above the limit a connection is still accepted, so that its request can
 * be told to come back later; above the reserve beyond it, it is dropped before it costs a handshake.
 */
import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import type { CitadelMetrics } from '../telemetry/citadel-metrics.ts';

export class ConnectionLimit {
  readonly #most: number;
  readonly #over = new WeakSet<Socket>();
  #open = 0;

  constructor(server: Server, most: number, metrics: CitadelMetrics) {
    this.#most = most;
    server.maxConnections = most + Math.max(16, Math.ceil(most / 10));
    server.on('secureConnection', (socket) => this.#count(socket));
    server.on('drop', () => metrics.connectionsDropped.inc(['limit']));
    server.on('tlsClientError', () => metrics.connectionsDropped.inc(['handshake']));
  }

  get open(): number {
    return this.#open;
  }

  /** Did this connection come when there were too many already? */
  isOver(socket: Socket): boolean {
    return this.#over.has(socket);
  }

  #count(socket: Socket): void {
    this.#open++;
    if (this.#open > this.#most) this.#over.add(socket);
    socket.once('close', () => this.#open--);
  }
}
