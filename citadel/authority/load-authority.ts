/**
 * Reads the authority in a folder and lets it through only when it may sign: the same for a start, a renewal and files
 * that an operator exchanged. It changes nothing but the number of the bundle. Callers hold the folder's lock.
 */
import type { Clock, Randomness } from '../../shared/clock/clock.ts';
import { Refusal } from '../../shared/errors/refusal.ts';
import { type Authority, type AuthorityMaterial, createAuthority } from './authority.ts';
import { folderVersion, readAuthorityTexts, shapeOf } from './authority-files.ts';
import { bundleSequence } from './bundle-sequence.ts';
import { checkChain } from './check-chain.ts';
import { readMaterial } from './read-material.ts';

export interface AuthorityFolder {
  readonly directory: string;
  readonly trustDomain: string;
  readonly clock: Clock;
  readonly randomness: Randomness;
}

/** An authority, the parts it was made of, and the state of the folder it was read from. */
export interface LoadedAuthority {
  readonly authority: Authority;
  readonly material: AuthorityMaterial;
  readonly version: string;
}

/** @throws {Refusal} authority_*, file_unreadable, file_permissions_open */
export async function loadAuthority(folder: AuthorityFolder): Promise<LoadedAuthority> {
  const { directory, trustDomain, clock, randomness } = folder;
  const version = await folderVersion(directory);
  const material = await readFolder(folder);
  const now = clock.now();
  await checkChain(material, { trustDomain, now, randomness });
  const sequence = await bundleSequence(directory, material.roots, now);
  return { authority: createAuthority(material, trustDomain, sequence, randomness), material, version };
}

/** The parts in the folder, not yet judged. @throws {Refusal} authority_*, file_unreadable, file_permissions_open */
export async function readFolder({ directory }: AuthorityFolder): Promise<AuthorityMaterial> {
  const shape = await shapeOf(directory);
  if (shape === 'empty') throw new Refusal('authority_incomplete', `${directory} holds none of its files`);
  return readMaterial(await readAuthorityTexts(directory, shape));
}
