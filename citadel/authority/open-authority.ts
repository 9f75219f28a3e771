/**
 * Opens the authority in a folder: finishes what a crash left, creates it on the first start, reads it, and lets it
 * sign only after two verifiers have accepted it. A folder with a part of an authority is refused and left untouched.
 */
import { mkdir } from 'node:fs/promises';
import { shapeOf } from './authority-files.ts';
import { AuthorityKeeper, type AuthorityOptions } from './authority-keeper.ts';
import { createAuthorityFiles } from './create-authority-files.ts';
import { withFolderLock } from './folder-lock.ts';
import { loadAuthority } from './load-authority.ts';
import { finishStaged, installTogether } from './staged-files.ts';

/** @throws {Refusal} authority_*, file_unreadable, file_permissions_open */
export async function openAuthority(options: AuthorityOptions): Promise<AuthorityKeeper> {
  const { directory, trustDomain, clock, randomness, log } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const loaded = await withFolderLock(directory, clock, async () => {
    await finishStaged(directory);
    if ((await shapeOf(directory)) === 'empty') {
      await installTogether(directory, await createAuthorityFiles({ trustDomain, randomness, now: clock.now() }));
      log.info('authority_created', { directory, trustDomain });
    }
    return loadAuthority(options);
  });
  return new AuthorityKeeper(options, loaded);
}
