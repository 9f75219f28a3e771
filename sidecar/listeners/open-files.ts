/**
 * How many connections the files of this process allow. Beyond that accepting would fail inside Node, where nobody is
 * told: a newcomer is dropped without a word, or the process turns in circles around one that it cannot take. So
 * ports turn newcomers away before, and take them again when there is room. It closes nothing.
 */
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';

/** For what is open without any connection: modules, ports, pages, citadel, the token. */
const RESERVED = 48;
/** Its own, and the one that it leads to. */
const FILES_PER_CONNECTION = 2;

export class OpenFiles {
  readonly #most: number;
  readonly #waiting = new Set<(full: boolean) => void>();
  #held = 0;

  /** @param limit files that the process may open */
  constructor(limit: number) {
    this.#most = Math.max(1, Math.floor((limit - RESERVED) / FILES_PER_CONNECTION));
  }

  /** Connections that the files are enough for. */
  get most(): number {
    return this.#most;
  }

  get full(): boolean {
    return this.#held >= this.#most;
  }

  /** Counts until the socket closes. */
  hold(socket: Socket): void {
    this.take();
    socket.once('close', () => this.giveBack());
  }

  /** One more connection, whoever it belongs to. */
  take(): void {
    this.#change(1);
  }

  giveBack(): void {
    this.#change(-1);
  }

  /** @param fn called when the last place is taken, and when one is free again */
  onChange(fn: (full: boolean) => void): void {
    this.#waiting.add(fn);
  }

  #change(by: number): void {
    const before = this.full;
    this.#held += by;
    if (this.full !== before) for (const fn of this.#waiting) fn(this.full);
  }
}

/** Node raises the soft limit to the hard one at its start. Infinite where the system does not tell. */
export function limitOfOpenFiles(): number {
  try {
    return Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1] ?? Infinity);
  } catch {
    return Infinity; // no /proc here
  }
}
