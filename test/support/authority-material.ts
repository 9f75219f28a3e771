/** The parts of an authority, for tests that sign without a folder: from an authority that lives in memory. */
import type { AuthorityMaterial } from '../../citadel/authority/authority.ts';
import { readCertificate } from '../../shared/x509/certificate.ts';
import type { TestAuthority } from './test-authority.ts';

/** @param above the intermediates between `signing` and its root, lowest first */
export function materialOf(signing: TestAuthority, above: readonly TestAuthority[] = []): AuthorityMaterial {
  const root = readCertificate(signing.rootDer);
  const own = readCertificate(signing.der);
  const isRoot = own.fingerprint === root.fingerprint;
  return {
    signing: own,
    privateKey: signing.keys.privateKey,
    path: isRoot ? [] : [own, ...above.map(({ der }) => readCertificate(der))],
    root,
    roots: [root],
    files: { certificate: 'ca-cert.pem', key: 'ca-key.pem', roots: 'root-cert.pem' },
  };
}
