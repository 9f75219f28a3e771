/**
 * Two ways to give one process a small disk, and to give it room again while it runs: a tmpfs of its own in a mount
 * namespace of its own (a full disk as any program meets it), and the limit of file sizes (which needs no privilege).
 * Both end with the process.
 */
import { spawnSync } from 'node:child_process';
import { copyFile, open, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { tool } from './tool.ts';

export interface SmallDisk {
  readonly name: string;
  /** Words before a command, so that `folder` is small for it. */
  under(folder: string): readonly string[];
  /** Takes the room that is left. */
  fill(pid: number, folder: string): Promise<void>;
  makeRoom(pid: number, folder: string): Promise<void>;
  /** Copies the files of a database out to where everybody can read them. @returns the copy */
  takeOut(pid: number, file: string, to: string): Promise<string>;
}

const SIZE_KIB = 640;
const UNSHARE = ['unshare', ...(process.geteuid?.() === 0 ? [] : ['--map-root-user']), '--mount'];

const ownFileSystem: SmallDisk = {
  name: 'a file system that is full',
  under: (folder) => [...UNSHARE, 'bash', '-c', `mount -t tmpfs -o size=${SIZE_KIB}k tmpfs "$0" && exec "$@"`, folder],
  async fill(pid, folder) {
    const filler = await open(inside(pid, join(folder, 'filler')), 'w');
    try {
      for (;;) await filler.write(Buffer.alloc(4096));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      await filler.close();
    }
  },
  makeRoom: (pid, folder) => rm(inside(pid, join(folder, 'filler'))),
  async takeOut(pid, file, to) {
    for (const end of ['', '-wal']) await copyFile(inside(pid, `${file}${end}`), join(to, `${basename(file)}${end}`));
    return join(to, basename(file));
  },
};

const limitedFiles: SmallDisk = {
  name: 'files that may not grow',
  // Without the trap the kernel would end the process instead of failing its write.
  under: () => ['bash', '-c', `trap '' XFSZ; exec prlimit --fsize=${SIZE_KIB * 1024}:unlimited "$0" "$@"`],
  fill: (pid) => limit(pid, '4096'),
  makeRoom: (pid) => limit(pid, 'unlimited'),
  takeOut: async (_pid, file) => file,
};

/** All that work here: the one without privileges always does. */
export function smallDisks(): SmallDisk[] {
  return canMount() ? [ownFileSystem, limitedFiles] : [limitedFiles];
}

/** Whether this machine lets a test have file systems of its own. */
export function canMount(): boolean {
  const [program = '', ...words] = [...UNSHARE, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'];
  return spawnSync(program, words).status === 0;
}

/** Words before a command, so that it has mounts of its own. */
export function ownMounts(): readonly string[] {
  return UNSHARE;
}

async function limit(pid: number, bytes: string): Promise<void> {
  const { code, stderr } = await tool('prlimit', ['--pid', String(pid), `--fsize=${bytes}:unlimited`]);
  if (code !== 0) throw new Error(`prlimit: ${stderr}`);
}

/** A path as that process sees it. */
function inside(pid: number, path: string): string {
  return `/proc/${pid}/root${path}`;
}
