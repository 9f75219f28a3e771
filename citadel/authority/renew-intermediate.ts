/**
 * A new intermediate under the root that is there, with the root's key. What would be refused at the next start is
 * never installed. It decides how, not when; callers hold the folder's lock.
 */
import { join } from 'node:path';
import { Refusal } from '../../shared/errors/refusal.ts';
import type { AuthorityMaterial } from './authority.ts';
import { type AuthorityTexts, NAMES, readAuthorityTexts, readRootKeyText, shapeOf } from './authority-files.ts';
import type { IssuingRoot } from './ceremonies.ts';
import { checkChain } from './check-chain.ts';
import { createIntermediateFiles, type FreshFiles } from './create-authority-files.ts';
import type { AuthorityFolder } from './load-authority.ts';
import { readMaterial, readPrivateKey } from './read-material.ts';
import { isSigningKey, publicSpki } from './software-signer.ts';
import { installTogether } from './staged-files.ts';

/**
 * @param material what is in the folder now
 * @returns why an operator has to do it; undefined when the new files are in place
 * @throws {Refusal} authority_*, file_*: nothing was changed then
 */
export async function renewIntermediate(
  folder: AuthorityFolder,
  material: AuthorityMaterial,
): Promise<string | undefined> {
  const root = await issuingRoot(folder.directory, material);
  if (typeof root === 'string') return root;
  const fresh = await createIntermediateFiles({ ...folder, now: folder.clock.now() }, root);
  await checkFresh(folder, fresh);
  await installTogether(folder.directory, fresh);
  return undefined;
}

/** The root to renew under, or why there is none. */
async function issuingRoot(directory: string, { roots, signing }: AuthorityMaterial): Promise<IssuingRoot | string> {
  const text = await readRootKeyText(directory);
  if (text === undefined) return `${NAMES.rootKey} is not in ${directory}`;
  const privateKey = readPrivateKey(text);
  const spki = publicSpki(privateKey);
  const root = isSigningKey(spki) ? roots.find((one) => one.spki.equals(spki)) : undefined;
  if (root === undefined)
    throw new Refusal('authority_key_mismatch', `${text.file} belongs to no certificate of ${NAMES.roots}`);
  if (root.notAfter <= signing.notAfter)
    return `the root ends ${new Date(root.notAfter).toISOString()}, before a new intermediate would`;
  return { certificate: root.der, privateKey, notAfter: root.notAfter };
}

async function checkFresh(folder: AuthorityFolder, fresh: FreshFiles): Promise<void> {
  const { directory, clock } = folder;
  const shape = await shapeOf(directory);
  if (shape !== 'cacerts') throw new Refusal('authority_incomplete', directory);
  const present = await readAuthorityTexts(directory, shape);
  const freshText = (name: string): AuthorityTexts['key'] => ({ file: join(directory, name), text: fresh[name] ?? '' });
  const material = readMaterial({
    ...present,
    certificate: freshText(NAMES.certificate),
    key: freshText(NAMES.key),
    chain: freshText(NAMES.chain),
  });
  await checkChain(material, { ...folder, now: clock.now() });
}
