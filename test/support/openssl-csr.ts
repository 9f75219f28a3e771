/**
 * CSRs made by the real `openssl req`, from a configuration as an operator would write it. It makes good ones and
 * ones that citadel must refuse; the private key stays in the folder of the caller or is thrown away.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tool } from './tool.ts';

export interface OpensslCsrWish {
  /** What `openssl genpkey` takes: `EC P-256`, `RSA 2048`, `ED25519`. */
  readonly key: string;
  /** Lines of the section of extensions. */
  readonly extensions?: readonly string[];
  /** Distinguished name, empty by default. */
  readonly subject?: string;
  readonly digest?: string;
}

export interface OpensslCsr {
  readonly csrPem: string;
  readonly keyPem: string;
}

export async function opensslCsr({ key, extensions = [], subject = '/', digest }: OpensslCsrWish): Promise<OpensslCsr> {
  const folder = await mkdtemp(join(tmpdir(), 'openssl-csr-'));
  try {
    const [keyFile, config, out] = ['key.pem', 'req.cnf', 'out.csr'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    await openssl(['genpkey', ...keyWords(key), '-out', keyFile]);
    const section = extensions.length > 0 ? ['req_extensions = wanted', '[wanted]', ...extensions] : [];
    await writeFile(config, ['[req]', 'distinguished_name = name', ...section, '[name]'].join('\n'));
    const words = ['req', '-new', '-config', config, '-key', keyFile, '-subj', subject, '-out', out];
    await openssl([...words, ...(digest === undefined ? [] : [`-${digest}`])]);
    return { csrPem: await readFile(out, 'utf8'), keyPem: await readFile(keyFile, 'utf8') };
  } finally {
    await rm(folder, { recursive: true });
  }
}

function keyWords(key: string): string[] {
  const [kind = '', detail = ''] = key.split(' ');
  if (kind === 'EC') return ['-algorithm', 'EC', '-pkeyopt', `ec_paramgen_curve:${detail}`];
  if (kind === 'RSA') return ['-algorithm', 'RSA', '-pkeyopt', `rsa_keygen_bits:${detail}`];
  return ['-algorithm', kind];
}

async function openssl(words: readonly string[]): Promise<void> {
  const { code, stderr } = await tool('openssl', words);
  if (code !== 0) throw new Error(`openssl ${words[0]}: ${stderr}`);
}
