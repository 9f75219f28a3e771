/**
 * One process at a time in a folder. The lock is SQLite's on an empty file: the kernel frees it when its holder dies,
 * however it dies, so there are no stale locks to judge. A folder that cannot be written needs no lock: nobody
 * creates or renews an authority in it.
 */
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { MessageChannel } from 'node:worker_threads';
import { type Clock, pause } from '../../shared/clock/clock.ts';
import { Refusal } from '../../shared/errors/refusal.ts';
import { isWriteForbidden } from './durable-file.ts';

export const LOCK_FILE = 'authority.lock';

const PATIENCE_MS = 10_000;
const RETRY_MS = 25;
const SQLITE_BUSY = 5;

/** @throws {Refusal} authority_locked when another process holds the lock for long; authority_not_writable */
export async function withFolderLock<Result>(
  directory: string,
  clock: Clock,
  work: () => Promise<Result>,
): Promise<Result> {
  const file = join(directory, LOCK_FILE);
  if (!(await create(file))) return work();
  const database = openLock(file);
  try {
    await acquire(database, file, clock);
    return await work();
  } finally {
    database.close();
  }
}

function openLock(file: string): DatabaseSync {
  try {
    return new DatabaseSync(file, { timeout: 0 });
  } catch (error) {
    throw unusable(file, error);
  }
}

async function acquire(database: DatabaseSync, file: string, clock: Clock): Promise<void> {
  if (tryExclusive(database, file)) return;
  using _ = stayAlive();
  const giveUpAt = clock.monotonic() + PATIENCE_MS;
  while (!tryExclusive(database, file)) {
    if (clock.monotonic() >= giveUpAt) throw new Refusal('authority_locked', dirname(file));
    await pause(clock, RETRY_MS);
  }
}

function tryExclusive(database: DatabaseSync, file: string): boolean {
  try {
    // Nothing is ever written; without this SQLite would begin a file beside it all the same, and fail on a full disk.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return true;
  } catch (error) {
    if (error instanceof Error && 'errcode' in error && Number(error.errcode) === SQLITE_BUSY) return false;
    throw unusable(file, error);
  }
}

/** The clock's timers let a process end; one that waits here at its start must not. An open port keeps it alive. */
function stayAlive(): Disposable {
  const { port1 } = new MessageChannel();
  port1.ref();
  return { [Symbol.dispose]: () => port1.close() };
}

/** @returns false where nothing can be written */
async function create(file: string): Promise<boolean> {
  try {
    await (await open(file, 'a', 0o600)).close();
    return true;
  } catch (error) {
    if (isWriteForbidden(error)) return false;
    throw unusable(file, error);
  }
}

function unusable(file: string, error: unknown): Refusal {
  return new Refusal('authority_not_writable', { detail: `${file}: ${(error as Error).message}`, cause: error });
}
