/**
 * The authority of a running mesh in the wrong hands: signs with citadel's own intermediate what citadel would never
 * sign. What it makes chains to the root that every sidecar trusts, so that only the rule under test can refuse it.
 */
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readCertificate } from '../../shared/x509/certificate.ts';
import { OID } from '../../shared/x509/oids.ts';
import { decodePem, encodePem } from '../../shared/x509/pem.ts';
import type { TestMesh } from './mesh.ts';
import type { MeshSvid } from './one-sidecar.ts';
import { buildCertificate, type CertificateOptions, makeKeys, USAGE } from './test-certificate.ts';

export type ForgedOptions = Partial<CertificateOptions>;

/** @returns a signer: good SVIDs of `web` by default, wrong in exactly what is asked for */
export async function meshAuthority(mesh: TestMesh): Promise<(options?: ForgedOptions) => MeshSvid> {
  const folder = join(mesh.plan.directory, 'authority');
  const text = (name: string): Promise<string> => readFile(join(folder, name), 'utf8');
  const [keyPem, certPem, rootPem] = await Promise.all(['ca-key.pem', 'ca-cert.pem', 'root-cert.pem'].map(text));
  const privateKey = createPrivateKey(keyPem!);
  const { subject: name, subjectKeyId } = readCertificate(decodePem(certPem!, 'CERTIFICATE')[0]!);
  const issuer = {
    name,
    keys: { privateKey, publicKey: createPublicKey(privateKey) },
    ...(subjectKeyId ? { keyId: subjectKeyId } : {}),
  };
  const spiffeId = `spiffe://${mesh.plan.services[0]!.spiffeId.split('/')[2]}/ns/shop/sa/web`;
  return (options = {}) => {
    const keys = makeKeys();
    const merged = { ...good(spiffeId), ...options };
    const der = buildCertificate(issuer, keys.publicKey, merged);
    return {
      spiffeId,
      certPem: encodePem('CERTIFICATE', der) + certPem!,
      keyPem: keys.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
      rootPem: rootPem!,
      notAfter: merged.notAfter,
    };
  };
}

const MINUTE = 60_000;

const good = (spiffeId: string): CertificateOptions => ({
  uris: [spiffeId],
  notBefore: Date.now() - MINUTE,
  notAfter: Date.now() + 10 * MINUTE,
  keyUsage: [USAGE.digitalSignature],
  extendedKeyUsage: [OID.serverAuth, OID.clientAuth],
});
