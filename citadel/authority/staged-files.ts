/**
 * Puts several files in place as one: certificate, key and chain must never be seen half old, half new. They are
 * written into a folder of their own; renaming that folder is the moment that counts. A crash before it leaves
 * nothing; a crash after it is finished by the next start. Callers hold the folder's lock.
 */
import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { moveDurably, syncFolder, writeAndSync } from './durable-file.ts';

const UNFINISHED = '.staging';
const COMMITTED = '.staged';

/** @param files content by name; every one is written with mode 0600 in a folder of mode 0700 */
export async function installTogether(directory: string, files: Readonly<Record<string, string>>): Promise<void> {
  const unfinished = join(directory, UNFINISHED);
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { mode: 0o700 });
  try {
    for (const [name, content] of Object.entries(files)) await writeAndSync(join(unfinished, name), content, 0o600);
    await syncFolder(unfinished);
    await rename(unfinished, join(directory, COMMITTED));
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    throw error;
  }
  await syncFolder(directory);
  await finishStaged(directory);
}

/** Completes or discards what an earlier process left. Does nothing to a folder without such traces. */
export async function finishStaged(directory: string): Promise<void> {
  const committed = join(directory, COMMITTED);
  const names = await namesIn(committed);
  if (names !== undefined) {
    for (const name of names) await moveDurably(name, committed, directory);
    await rmdir(committed);
    await syncFolder(directory);
  }
  const unfinished = join(directory, UNFINISHED);
  if ((await namesIn(unfinished)) !== undefined) await rm(unfinished, { recursive: true });
}

/** Whether finishStaged has something to do. */
export async function hasStaged(directory: string): Promise<boolean> {
  const names = (await namesIn(directory)) ?? [];
  return names.includes(COMMITTED) || names.includes(UNFINISHED);
}

async function namesIn(folder: string): Promise<string[] | undefined> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
