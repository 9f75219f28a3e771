/**
 * What others think of a certificate chain: OpenSSL (strict), pkijs and @peculiar/x509. Each is a second opinion
 * on one question, whether the leaf has a valid path to the root now; none knows the SPIFFE rules.
 */
import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import * as pkijs from 'pkijs';
import { encodePem } from '../../shared/x509/pem.ts';
import { tool } from './tool.ts';

export interface Opinion {
  readonly accepts: boolean;
  /** In the oracle's own words. */
  readonly reason: string;
}

export type Purpose = 'sslserver' | 'sslclient';

/** `openssl verify -x509_strict`, which also checks extended key usage for the purpose. */
export async function opensslOpinion(chain: readonly Buffer[], root: Buffer, purpose: Purpose): Promise<Opinion> {
  return inDirectory(async (directory) => {
    const [leaf, above, anchor] = ['leaf', 'above', 'root'].map((name) => join(directory, `${name}.pem`)) as [
      string,
      string,
      string,
    ];
    await writeFile(leaf, pemOf(chain.slice(0, 1)));
    await writeFile(above, pemOf(chain));
    await writeFile(anchor, pemOf([root]));
    const args = ['verify', '-x509_strict', '-auth_level', '2', '-purpose', purpose, '-no-CApath', '-CAfile', anchor];
    const { code, stderr } = await tool('openssl', [...args, '-untrusted', above, leaf]);
    return { accepts: code === 0, reason: stderr.trim() };
  });
}

/** `openssl x509 -text` of one certificate. */
export async function opensslText(der: Buffer): Promise<string> {
  const { code, stdout, stderr } = await tool('openssl', ['x509', '-inform', 'DER', '-noout', '-text'], { input: der });
  if (code !== 0) throw new Error(`openssl x509: ${stderr}`);
  return stdout;
}

/** `openssl req -verify`: whether it can be read and is signed by its own key. */
export async function opensslCsrOpinion(der: Buffer): Promise<Opinion> {
  const { code, stderr } = await tool('openssl', ['req', '-inform', 'DER', '-noout', '-verify'], { input: der });
  return { accepts: code === 0 && /verify OK/.test(stderr), reason: stderr.trim() };
}

/** RFC 5280 path validation by pkijs. */
export async function pkijsOpinion(chain: readonly Buffer[], root: Buffer): Promise<Opinion> {
  const engine = new pkijs.CertificateChainValidationEngine({
    certs: chain.toReversed().map((der) => pkijs.Certificate.fromBER(exact(der))),
    trustedCerts: [pkijs.Certificate.fromBER(exact(root))],
  });
  const { result, resultMessage } = await engine.verify();
  return { accepts: result, reason: resultMessage };
}

/** Whether @peculiar/x509 finds a chain of valid signatures and dates up to the root; it knows no other rule. */
export async function peculiarOpinion(chain: readonly Buffer[], root: Buffer): Promise<Opinion> {
  const certificates = [...chain, root].map((der) => new x509.X509Certificate(exact(der)));
  for (const [i, certificate] of certificates.entries()) {
    const issuer = certificates[i + 1] ?? certificate;
    if (certificate.issuer !== issuer.subject) return { accepts: false, reason: 'names do not chain' };
    if (!(await certificate.verify({ publicKey: issuer })))
      return { accepts: false, reason: `signature or date of ${i}` };
  }
  return { accepts: true, reason: '' };
}

const pemOf = (ders: readonly Buffer[]): string => ders.map((der) => encodePem('CERTIFICATE', der)).join('');

/** The bytes in an ArrayBuffer of their own, as these libraries want them. */
const exact = (der: Buffer): ArrayBuffer => Uint8Array.from(der).buffer;

async function inDirectory<T>(use: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), `oracle-${randomUUID()}-`));
  try {
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}
