/** An SVID as the files that other people's programs read. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { MeshSvid } from './one-sidecar.ts';

export interface SvidFiles {
  /** Leaf and intermediates. */
  readonly cert: string;
  /** The intermediates alone. */
  readonly above: string;
  readonly key: string;
  readonly root: string;
}

export async function svidFiles(folder: string, { certPem, keyPem, rootPem }: MeshSvid): Promise<SvidFiles> {
  const path = (name: string): string => join(folder, `${name}.pem`);
  const files = { cert: path('cert'), above: path('above'), key: path('key'), root: path('root') };
  const end = '-----END CERTIFICATE-----';
  await writeFile(files.cert, certPem);
  await writeFile(files.above, certPem.slice(certPem.indexOf(end) + end.length));
  await writeFile(files.key, keyPem, { mode: 0o600 });
  await writeFile(files.root, rootPem);
  return files;
}

/** `-cert_chain` is sent after `-cert`, whose first certificate alone counts. */
export function opensslIdentity({ cert, above, key, root }: SvidFiles): string[] {
  return ['-cert', cert, '-cert_chain', above, '-key', key, '-CAfile', root];
}
