/**
 * Writes a file so that after a crash it holds either the old content or the new one, whole: temporary file, fsync,
 * rename, fsync of the folder.
 */
import { open, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export async function writeDurably(file: string, content: string, mode: number): Promise<void> {
  const temporary = `${file}.new`;
  await writeAndSync(temporary, content, mode);
  await rename(temporary, file);
  await syncFolder(dirname(file));
}

/** The content is on disk when this resolves; the name is only after syncFolder. */
export async function writeAndSync(file: string, content: string, mode: number): Promise<void> {
  const handle = await open(file, 'w', mode);
  try {
    // The mode above counts for new files only, and less the umask.
    await handle.chmod(mode);
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes renames in this folder survive a power loss. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export async function moveDurably(name: string, from: string, to: string): Promise<void> {
  await rename(join(from, name), join(to, name));
  await syncFolder(to);
}

/** Whether a write failed because the place is not ours to write: a mounted secret, a read-only file system. */
export function isWriteForbidden(error: unknown): boolean {
  return ['EROFS', 'EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '');
}

export function isDiskFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT', 'EFBIG'].includes((error as NodeJS.ErrnoException).code ?? '');
}
