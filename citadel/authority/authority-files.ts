/**
 * The files of an authority in its folder, by either of two sets of names: those of Istio's `cacerts` secret, or those
 * of a kubernetes.io/tls secret. It reads and writes them; it never judges certificates and never mends a folder
 * that holds only a part.
 */
import { lstat, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Refusal } from '../../shared/errors/refusal.ts';

export type FolderShape = 'empty' | 'cacerts' | 'tls';

/** A file's text with the path to name in a refusal. */
export interface NamedText {
  readonly file: string;
  readonly text: string;
}

/** The content of a complete folder, unread. */
export interface AuthorityTexts {
  readonly shape: 'cacerts' | 'tls';
  readonly certificate: NamedText;
  readonly key: NamedText;
  /** Absent in the tls shape without ca.crt: the chain then stands in tls.crt alone. */
  readonly chain: NamedText | undefined;
  readonly roots: NamedText | undefined;
}

export const NAMES = {
  certificate: 'ca-cert.pem',
  key: 'ca-key.pem',
  chain: 'cert-chain.pem',
  roots: 'root-cert.pem',
  rootKey: 'root-key.pem',
} as const;

export const TLS_NAMES = { certificate: 'tls.crt', key: 'tls.key', roots: 'ca.crt' } as const;

const CACERTS: readonly string[] = [NAMES.certificate, NAMES.key, NAMES.chain, NAMES.roots];
const TLS: readonly string[] = [TLS_NAMES.certificate, TLS_NAMES.key];
const ALL: readonly string[] = [...CACERTS, NAMES.rootKey, ...TLS, TLS_NAMES.roots];

/** Bytes; the largest sensible chain has some tens of KiB. */
const LARGEST_FILE = 1 << 20;

/** @throws {Refusal} authority_incomplete when there is a part of an authority, or parts of two */
export async function shapeOf(directory: string): Promise<FolderShape> {
  const present = (await presentFiles(directory)).map(({ name }) => name);
  if (present.length === 0) return 'empty';
  const has = (names: readonly string[]): boolean => names.every((name) => present.includes(name));
  const mixed = present.some((name) => TLS.includes(name)) && present.some((name) => CACERTS.includes(name));
  if (!mixed && has(CACERTS)) return 'cacerts';
  if (!mixed && has(TLS)) return 'tls';
  throw new Refusal('authority_incomplete', `${directory} holds ${present.join(', ')}`);
}

/** Changes whenever a file does that the authority signs with; the root's key is not one. Cheap: no file is read. */
export async function folderVersion(directory: string): Promise<string> {
  const present = (await presentFiles(directory)).filter(({ name }) => name !== NAMES.rootKey);
  return present.map(({ name, ino, size, mtimeMs }) => `${name}:${ino}:${size}:${mtimeMs}`).join('|');
}

/** @throws {Refusal} file_unreadable, file_permissions_open, authority_malformed */
export async function readAuthorityTexts(directory: string, shape: 'cacerts' | 'tls'): Promise<AuthorityTexts> {
  const text = (name: string): Promise<NamedText> => readText(join(directory, name));
  if (shape === 'cacerts') {
    const key = await readKeyText(join(directory, NAMES.key));
    const [certificate, chain, roots] = await Promise.all([NAMES.certificate, NAMES.chain, NAMES.roots].map(text));
    return { shape, certificate: certificate!, key, chain, roots };
  }
  const key = await readKeyText(join(directory, TLS_NAMES.key));
  const certificate = await text(TLS_NAMES.certificate);
  const hasRoots = (await presentFiles(directory)).some(({ name }) => name === TLS_NAMES.roots);
  return { shape, certificate, key, chain: undefined, roots: hasRoots ? await text(TLS_NAMES.roots) : undefined };
}

/** The key of a self-made root, or undefined when it was taken offline or never was here. */
export async function readRootKeyText(directory: string): Promise<NamedText | undefined> {
  const present = await presentFiles(directory);
  return present.some(({ name }) => name === NAMES.rootKey) ? readKeyText(join(directory, NAMES.rootKey)) : undefined;
}

/** @throws {Refusal} file_permissions_open before the content is read */
export async function readKeyText(file: string): Promise<NamedText> {
  const { mode, uid } = await stat(file).catch((error: unknown) => unreadable(file, error));
  if (isOpenToOthers(mode, uid, process.geteuid?.() ?? uid)) {
    throw new Refusal('file_permissions_open', `${file} has mode ${(mode & 0o777).toString(8).padStart(4, '0')}`);
  }
  return readText(file);
}

/**
 * Others may not read a key. One exception, the same that PostgreSQL makes: a file of root that we read as a member
 * of its group, because that is how Kubernetes mounts a secret for a process that is not root (fsGroup).
 */
export function isOpenToOthers(mode: number, owner: number, self: number): boolean {
  const asGroup = owner === 0 && self !== 0;
  return (mode & (asGroup ? 0o037 : 0o077)) !== 0;
}

/** A pipe would be waited for, and a device may never end: only plain files are opened, and only small ones. */
async function readText(file: string): Promise<NamedText> {
  const found = await stat(file).catch((error: unknown) => unreadable(file, error));
  if (!found.isFile()) throw new Refusal('file_unreadable', `${file}: not a file`);
  if (found.size > LARGEST_FILE)
    throw new Refusal('authority_malformed', `${file} is larger than ${LARGEST_FILE} bytes`);
  return { file, text: await readFile(file, 'utf8').catch((error: unknown) => unreadable(file, error)) };
}

function unreadable(file: string, error: unknown): never {
  throw new Refusal('file_unreadable', { detail: `${file}: ${(error as NodeJS.ErrnoException).code}`, cause: error });
}

interface PresentFile {
  readonly name: string;
  readonly ino: number;
  readonly size: number;
  readonly mtimeMs: number;
}

async function presentFiles(directory: string): Promise<PresentFile[]> {
  const found = await Promise.all(ALL.map((name) => presentFile(directory, name)));
  return found.filter((file) => file !== undefined);
}

async function presentFile(directory: string, name: string): Promise<PresentFile | undefined> {
  const file = join(directory, name);
  try {
    const { ino, size, mtimeMs } = await stat(file);
    return { name, ino, size, mtimeMs };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return unreadable(file, error);
    if (await isLink(file)) throw new Refusal('file_unreadable', `${file}: a link to nothing`);
    return undefined;
  }
}

/** A link to nothing is an authority that is out of reach (a mount that failed), and no room for a new one. */
async function isLink(file: string): Promise<boolean> {
  try {
    return (await lstat(file)).isSymbolicLink();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    return unreadable(file, error);
  }
}
