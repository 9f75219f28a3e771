/**
 * How many streams each peer has in all of its sessions. Every stream costs a connection to the app, so streams count
 * as connections do: nobody gets more than a listener takes, none comes when the process is full, and one peer alone
 * gets half of what the process has at most. It closes nothing.
 */
import type { OpenFiles } from './open-files.ts';

/** Of the process. */
const SHARE = 0.5;

export class StreamPlaces {
  readonly #files: OpenFiles;
  readonly #most: number;
  readonly #streams = new Map<string, number>();

  /** @param most streams of one peer, whatever the process has */
  constructor(files: OpenFiles, most: number) {
    this.#files = files;
    this.#most = Math.max(1, Math.min(most, Math.floor(files.most * SHARE)));
  }

  /** A stream has begun; `end` must follow. @returns why it cannot stay */
  begin(peer: string): string | undefined {
    const isFull = this.#files.full;
    const count = (this.#streams.get(peer) ?? 0) + 1;
    this.#streams.set(peer, count);
    this.#files.take();
    if (count > this.#most) return `${this.#most} streams of one peer`;
    return isFull ? 'the process may open no more files' : undefined;
  }

  end(peer: string): void {
    this.#files.giveBack();
    const count = (this.#streams.get(peer) ?? 0) - 1;
    if (count > 0) this.#streams.set(peer, count);
    else this.#streams.delete(peer);
  }
}
