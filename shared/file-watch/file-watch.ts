/**
 * Tells when a file has been replaced or rewritten. It watches the FOLDER, because kubelet swaps the symlink
 * `..data` beside the file and a watch on the file itself goes silent after the first swap; and it looks again
 * at intervals, because notifications get lost and a watcher may fail. It reads no content and decides nothing.
 */
import { type FSWatcher, statSync, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Clock, Timer } from '../clock/clock.ts';

export interface FileWatchOptions {
  readonly file: string;
  readonly clock: Clock;
  /** Milliseconds between two looks that need no notification. */
  readonly pollMs?: number;
  /** The file is another one than before, or gone, or back. */
  readonly onChange: () => void;
}

const POLL_MS = 30_000;
const MISSING = 'missing';

export class FileWatch {
  readonly #options: FileWatchOptions;
  readonly #folder: string;
  #seen: string;
  #watcher: FSWatcher | undefined;
  /** Which folder the watcher looks at: a folder that is removed and made again is another one. */
  #watched = MISSING;
  #poll: Timer | undefined;
  #looking = false;
  #lookAgain = false;
  #closed = false;

  constructor(options: FileWatchOptions) {
    this.#options = options;
    this.#folder = dirname(options.file);
    this.#watchFolder(markNow(this.#folder, folderMark));
    // Taken at once, so that a change right after the start is seen as one; but after the watch has begun, so that
    // none falls between the two.
    this.#seen = markNow(options.file);
    this.#schedule();
  }

  close(): void {
    this.#closed = true;
    this.#poll?.cancel();
    this.#watcher?.close();
  }

  #schedule(): void {
    const { clock, pollMs = POLL_MS } = this.#options;
    this.#poll = clock.after(pollMs, () => {
      void this.#look().finally(() => {
        if (!this.#closed) this.#schedule();
      });
    });
  }

  /** One look at a time; a wish that comes meanwhile is one more look afterwards. */
  async #look(): Promise<void> {
    if (this.#looking) {
      this.#lookAgain = true;
      return;
    }
    this.#looking = true;
    do {
      this.#lookAgain = false;
      const folder = await markOf(this.#folder, folderMark);
      if (this.#closed) return;
      if (folder !== this.#watched) this.#watchFolder(folder);
      const mark = await markOf(this.#options.file);
      if (this.#closed) return;
      if (mark === this.#seen) continue;
      this.#seen = mark;
      this.#options.onChange();
    } while (this.#lookAgain);
    this.#looking = false;
  }

  #watchFolder(mark: string): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#watched = MISSING;
    if (mark === MISSING) return;
    try {
      const watcher = watch(this.#folder, { persistent: false }, (event, name) => {
        // Its own name means that the folder itself was moved or removed. A new one may be in its place already, with
        // the inode number of the old one: file systems give it out again at once.
        if (event === 'rename' && name === basename(this.#folder)) this.#watched = MISSING;
        void this.#look();
      });
      // The next look opens another one.
      watcher.on('error', () => this.#watchFolder(MISSING));
      this.#watcher = watcher;
      this.#watched = mark;
    } catch {
      // The folder is gone again or the system has no watches left: the polling goes on.
    }
  }
}

type Marker = (file: { ino: bigint; dev: bigint; size: bigint; mtimeNs: bigint; birthtimeNs: bigint }) => string;

const fileMark: Marker = ({ dev, ino, size, mtimeNs }) => [dev, ino, size, mtimeNs].join(':');
const folderMark: Marker = ({ dev, ino, birthtimeNs }) => [dev, ino, birthtimeNs].join(':');

function markNow(path: string, mark: Marker = fileMark): string {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found ? mark(found) : MISSING;
}

async function markOf(path: string, mark: Marker = fileMark): Promise<string> {
  try {
    return mark(await stat(path, { bigint: true }));
  } catch {
    return MISSING; // gone, or not to be read just now: either way not the file that was seen
  }
}
