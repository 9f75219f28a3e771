/**
 * Bounds what strangers can cost. A handshake takes 70 KB until it ends, and nobody has proved anything before: without
 * a bound, half-finished ones alone could take all memory of a pod. When there are too many the oldest is given up, not
 * the newest turned away: honest peers are done within moments, so that the oldest is rarely one of them.
 */
import type { Socket } from 'node:net';
import type { Clock } from '../../shared/clock/clock.ts';

export interface HandshakeLimits {
  /** Beyond this many, those that have had their moment are given up. */
  readonly patient: number;
  /** Beyond this many, the oldest is given up whatever its age. */
  readonly most: number;
}

/** A thousand peers that come back at once, after a restart, all get through: each has this long. Milliseconds. */
const MOMENT_MS = 2_000;

export class HandshakesUnderWay {
  readonly #limits: HandshakeLimits;
  readonly #clock: Clock;
  /** When each began, the oldest first. */
  readonly #begun = new Map<Socket, number>();
  readonly #crowdedOut = new WeakSet<Socket>();

  constructor(limits: HandshakeLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  begin(socket: Socket): void {
    this.#begun.set(socket, this.#clock.monotonic());
    socket.once('close', () => this.done(socket));
    const [oldest] = this.#begun;
    if (oldest && this.#isTooMany(oldest[1])) this.#giveUp(oldest[0]);
  }

  done(socket: Socket | undefined): void {
    if (socket) this.#begun.delete(socket);
  }

  /** Whether it was closed to make room. */
  hasCrowdedOut(socket: Socket | undefined): boolean {
    return socket !== undefined && this.#crowdedOut.has(socket);
  }

  #isTooMany(begun: number): boolean {
    const { patient, most } = this.#limits;
    const count = this.#begun.size;
    return count > most || (count > patient && this.#clock.monotonic() - begun >= MOMENT_MS);
  }

  #giveUp(socket: Socket): void {
    this.done(socket);
    this.#crowdedOut.add(socket);
    socket.destroy();
  }
}
