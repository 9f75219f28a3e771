/**
 * Bounds what strangers can cost. A handshake takes 70 KB until it ends, and nobody has proved anything before: without
 * a bound, half-finished ones alone could take all memory of a pod. When there are too many the oldest is given up, not
 * the newest turned away: honest peers are done within moments, so that the oldest is rarely one of them.
 */
import type { Socket } from 'node:net';

export class HandshakesUnderWay {
  readonly #most: number;
  /** In the order in which they came. */
  readonly #sockets = new Set<Socket>();
  readonly #crowdedOut = new WeakSet<Socket>();

  constructor(most: number) {
    this.#most = most;
  }

  begun(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    const [oldest] = this.#sockets;
    if (this.#sockets.size <= this.#most || !oldest) return;
    this.#sockets.delete(oldest);
    this.#crowdedOut.add(oldest);
    oldest.destroy();
  }

  done(socket: Socket | undefined): void {
    if (socket) this.#sockets.delete(socket);
  }

  /** Whether it was closed to make room. */
  hasCrowdedOut(socket: Socket | undefined): boolean {
    return socket !== undefined && this.#crowdedOut.has(socket);
  }
}
