/**
 * Writes a token the way kubelet does it, so that readers meet the same surprises: `token` is a link into
 * `..data`, `..data` is a link to a directory with a time as its name, and an update swaps that link in one step.
 * A reader sees the old token or the new one, never a part. It removes only what it made itself.
 */
import { lstat, mkdir, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Refusal } from '../../shared/errors/refusal.ts';

/** Directories of earlier versions: `..2026_07_24_10_11_12.345678`. */
const VERSION = /^\.\.\d{4}(_\d\d){5}\./;

/**
 * @param moment milliseconds since the Unix epoch, for the name of the version
 * @param salt makes the name unique within one millisecond
 */
export async function writeTokenDirectory(
  directory: string,
  token: string,
  moment: number,
  salt: Buffer,
): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const version = versionName(moment, salt);
  await mkdir(join(directory, version), { mode: 0o700 });
  await writeFile(join(directory, version, 'token'), token, { mode: 0o600, flag: 'wx' });
  await swapLink(directory, '..data', version);
  if (!(await isLink(join(directory, 'token')))) await swapLink(directory, 'token', join('..data', 'token'));
  await removeOthers(directory, version);
}

function versionName(moment: number, salt: Buffer): string {
  const [date, milliseconds] = new Date(moment).toISOString().replaceAll(/[-:T]/g, '_').slice(0, 23).split('.') as [
    string,
    string,
  ];
  return `..${date}.${milliseconds}${salt.readUIntBE(0, 3).toString().padStart(8, '0')}`;
}

/** A link cannot be changed, but another may take its name in one step. */
async function swapLink(directory: string, name: string, target: string): Promise<void> {
  const fresh = join(directory, `..fresh_${name.replace('..', '')}`);
  await rm(fresh, { force: true });
  await symlink(target, fresh);
  await rename(fresh, join(directory, name));
}

/** @throws {Refusal} when something that is not ours has the name */
async function isLink(path: string): Promise<boolean> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (found && !found.isSymbolicLink())
    throw new Refusal('file_unreadable', `${path} is in the way: it was not written by a dev issuer`);
  return found !== undefined;
}

async function removeOthers(directory: string, version: string): Promise<void> {
  const entries = await readdir(directory);
  const outdated = entries.filter((entry) => entry !== version && VERSION.test(entry));
  await Promise.all(outdated.map((entry) => rm(join(directory, entry), { recursive: true, force: true })));
}
