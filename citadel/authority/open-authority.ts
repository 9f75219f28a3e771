/**
 * Opens the authority in a folder: finishes what a crash left, creates it on the first start, reads it, and lets it
 * sign only after two verifiers have accepted it. A folder with a part of an authority is refused and left untouched.
 */
import { access, constants, mkdir, stat } from 'node:fs/promises';
import { Refusal } from '../../shared/errors/refusal.ts';
import type { Certificate } from '../../shared/x509/certificate.ts';
import { shapeOf } from './authority-files.ts';
import { AuthorityKeeper, type AuthorityOptions } from './authority-keeper.ts';
import { createAuthorityFiles } from './create-authority-files.ts';
import { isWriteForbidden } from './durable-file.ts';
import { withFolderLock } from './folder-lock.ts';
import { loadAuthority, readFolder } from './load-authority.ts';
import { renewIntermediate } from './renew-intermediate.ts';
import { finishStaged, installTogether } from './staged-files.ts';

/** @throws {Refusal} authority_*, file_unreadable, file_permissions_open */
export async function openAuthority(options: AuthorityOptions): Promise<AuthorityKeeper> {
  const { directory, clock, log } = options;
  await writing(directory, mkdir(directory, { recursive: true, mode: 0o700 }));
  if (await isOpenToAll(directory))
    log.warn('authority_folder_open', { directory, meaning: 'every user of this machine can exchange the authority' });
  const loaded = await withFolderLock(directory, clock, async () => {
    await finishStaged(directory);
    if ((await shapeOf(directory)) === 'empty') await create(options);
    else await renewOutOfDate(options);
    return loadAuthority(options);
  });
  return new AuthorityKeeper(options, loaded);
}

/**
 * Whether all may put files there. No refusal: volumes come like that, and inside a container there is nobody else. A
 * mounted secret looks like that too, but nobody can write it.
 */
async function isOpenToAll(directory: string): Promise<boolean> {
  const { mode } = await stat(directory);
  if ((mode & 0o002) === 0) return false;
  try {
    await access(directory, constants.W_OK);
    return true;
  } catch (error) {
    if (isWriteForbidden(error)) return false;
    throw error;
  }
}

async function create({ directory, trustDomain, randomness, clock, log }: AuthorityOptions): Promise<void> {
  const files = await createAuthorityFiles({ trustDomain, randomness, now: clock.now() });
  await writing(directory, installTogether(directory, files));
  log.info('authority_created', { directory, trustDomain });
}

/**
 * After a stop of more than a month the intermediate is past, and one made while the clock was ahead is not valid yet;
 * with the root's key at hand neither is a reason to stay down.
 */
async function renewOutOfDate(options: AuthorityOptions): Promise<void> {
  const material = await readFolder(options);
  const { signing, root } = material;
  const now = options.clock.now();
  if (isValidAt(signing, now) || !isValidAt(root, now)) return;
  const obstacle = await renewIntermediate(options, material);
  if (obstacle === undefined)
    options.log.warn('authority_renewed_out_of_date', {
      notBefore: new Date(signing.notBefore).toISOString(),
      notAfter: new Date(signing.notAfter).toISOString(),
    });
  else options.log.warn('authority_renewal_blocked', { reason: obstacle });
}

function isValidAt({ notBefore, notAfter }: Certificate, now: number): boolean {
  return notBefore <= now && now <= notAfter;
}

/** @throws {Refusal} authority_not_writable instead of what the file system says */
async function writing(directory: string, work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code;
    throw new Refusal('authority_not_writable', { detail: `${directory}: ${reason}`, cause: error });
  }
}
