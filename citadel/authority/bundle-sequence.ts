/**
 * The sequence number of the trust bundle (SPIFFE Trust Domain and Bundle §4.1.1): strictly rising whenever the
 * content changes, also over restarts. It is kept beside the authority's files; where the folder cannot be written,
 * the present time stands in, which rises as well.
 */
import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Certificate } from '../../shared/x509/certificate.ts';
import { isDiskFull, isWriteForbidden, writeDurably } from './durable-file.ts';

export const SEQUENCE_FILE = 'bundle-sequence.json';

interface StoredSequence {
  readonly sequence: number;
  /** SHA-256 over the fingerprints of the roots, in an order of their own. */
  readonly content: string;
}

/** Callers hold the folder's lock. @param now milliseconds since the Unix epoch */
export async function bundleSequence(directory: string, roots: readonly Certificate[], now: number): Promise<number> {
  const file = join(directory, SEQUENCE_FILE);
  const content = hash(
    'sha256',
    roots
      .map(({ fingerprint }) => fingerprint)
      .sort()
      .join(','),
    'hex',
  );
  const stored = await readStored(file);
  if (stored?.content === content) return stored.sequence;
  const sequence = Math.max((stored?.sequence ?? 0) + 1, Math.floor(now / 1000));
  await keep(file, { sequence, content });
  return sequence;
}

/** A damaged file counts as none: the time that stands in is above every number that was given before. */
async function readStored(file: string): Promise<StoredSequence | undefined> {
  try {
    const { sequence, content } = JSON.parse(await readFile(file, 'utf8')) as Partial<StoredSequence>;
    return Number.isSafeInteger(sequence) && typeof content === 'string' ? { sequence: sequence!, content } : undefined;
  } catch {
    return undefined;
  }
}

/** Also without room for it the authority may start: the time that stands in at the next start is above this number. */
async function keep(file: string, stored: StoredSequence): Promise<void> {
  try {
    await writeDurably(file, `${JSON.stringify(stored)}\n`, 0o644);
  } catch (error) {
    if (!isWriteForbidden(error) && !isDiskFull(error)) throw error;
  }
}
