/** A folder for an authority that goes when it is disposed, with what operators put into such folders. */
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuthorityOptions } from '../../citadel/authority/authority-keeper.ts';
import { type Clock, systemClock, systemRandomness } from '../../shared/clock/clock.ts';
import { silentLog } from '../../shared/log/log.ts';
import type { TestAuthority } from './test-authority.ts';

export class AuthorityFolder implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** @param files content by name; all with mode 0600 */
  static async create(files: Readonly<Record<string, string>> = {}): Promise<AuthorityFolder> {
    const folder = new AuthorityFolder(await mkdtemp(join(tmpdir(), 'authority-')));
    await folder.put(files);
    return folder;
  }

  /** One that is there already and belongs to somebody else. */
  static at(path: string): AuthorityFolder {
    return new AuthorityFolder(path);
  }

  file(name: string): string {
    return join(this.path, name);
  }

  async put(files: Readonly<Record<string, string>>, mode = 0o600): Promise<void> {
    for (const [name, content] of Object.entries(files)) await writeFile(this.file(name), content, { mode });
  }

  read(name: string): Promise<string> {
    return readFile(this.file(name), 'utf8');
  }

  /** Name, mode and content of everything that is an authority's, to see whether anything was touched. */
  async snapshot(): Promise<Record<string, string>> {
    const names = (await readdir(this.path)).filter((name) => name !== 'authority.lock').sort();
    const entries = names.map(async (name): Promise<[string, string]> => {
      const { mode } = await stat(this.file(name));
      return [name, `${(mode & 0o777).toString(8)} ${await this.read(name)}`];
    });
    return Object.fromEntries(await Promise.all(entries));
  }

  options(clock: Clock = systemClock): AuthorityOptions {
    return { directory: this.path, trustDomain: 'cluster.local', clock, randomness: systemRandomness, log: silentLog };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }
}

/** Istio's `cacerts` as its documents make it: cert-chain.pem is the signing certificate and those above it. */
export function cacertsOf(signing: TestAuthority, above: readonly TestAuthority[] = []): Record<string, string> {
  return {
    'ca-cert.pem': signing.pem,
    'ca-key.pem': keyPemOf(signing),
    'cert-chain.pem': [signing, ...above].map(({ pem }) => pem).join('') + signing.rootPem,
    'root-cert.pem': signing.rootPem,
  };
}

/** A kubernetes.io/tls secret, as cert-manager writes it. */
export function tlsSecretOf(signing: TestAuthority): Record<string, string> {
  return { 'tls.crt': signing.pem, 'tls.key': keyPemOf(signing), 'ca.crt': signing.rootPem };
}

export function keyPemOf({ keys }: Pick<TestAuthority, 'keys'>): string {
  return keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}
