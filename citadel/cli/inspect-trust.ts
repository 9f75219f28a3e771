/** Whether the chain in one file leads to the roots in another, by our own verifier and by pkijs: both must agree. */
import { Refusal } from '../../shared/errors/refusal.ts';
import { decodeBundle, type TrustBundle } from '../../shared/spiffe/trust-bundle.ts';
import { readCertificate } from '../../shared/x509/certificate.ts';
import { decodePem } from '../../shared/x509/pem.ts';
import { checkSvidLeaf } from '../../shared/x509/svid-rules.ts';
import { anchorsOf } from '../../shared/x509/trust-anchors.ts';
import { verifySvid } from '../../shared/x509/verify-svid.ts';
import { pkijsVerdict } from '../authority/pkijs-verdict.ts';
import type { Finding } from './inspect-content.ts';

export async function inspectTrust(chainFile: Buffer, rootsFile: Buffer, now: number): Promise<Finding> {
  try {
    const chain = certificatesIn(chainFile);
    const { trustDomain } = checkSvidLeaf(readCertificate(chain[0]!));
    const bundle = bundleIn(rootsFile, trustDomain);
    const ours = ownVerdict(chain, bundle, now);
    const theirs = await pkijsVerdict(chain, bundle.authorities, now);
    return {
      what: `chain of ${chain.length} under ${bundle.authorities.length} roots`,
      facts: { ownVerifier: ours ?? 'valid', pkijs: theirs ?? 'valid' },
      problems: ours === undefined && theirs === undefined ? [] : ['the chain is not accepted by both verifiers'],
    };
  } catch (error) {
    const reason = error instanceof Refusal ? `${error.code}: ${error.detail}` : (error as Error).message;
    return { what: 'chain', facts: {}, problems: [`it cannot be verified: ${reason}`] };
  }
}

function certificatesIn(file: Buffer): Buffer[] {
  const text = file.toString('utf8');
  if (!text.trimStart().startsWith('{')) return decodePem(text, 'CERTIFICATE');
  const { certificateChain } = JSON.parse(text) as { certificateChain?: unknown };
  if (!Array.isArray(certificateChain)) throw new Error('the file holds no chain');
  return decodePem(certificateChain.join('\n'), 'CERTIFICATE');
}

function bundleIn(file: Buffer, trustDomain: string): TrustBundle {
  const text = file.toString('utf8');
  if (text.trimStart().startsWith('{')) return decodeBundle(trustDomain, JSON.parse(text));
  return { trustDomain, sequence: 0, refreshHintSeconds: 0, authorities: decodePem(text, 'CERTIFICATE') };
}

/** @returns why not; undefined when it is valid */
function ownVerdict(chain: readonly Buffer[], bundle: TrustBundle, now: number): string | undefined {
  try {
    verifySvid(chain, anchorsOf([bundle]), now);
    return undefined;
  } catch (error) {
    return error instanceof Refusal ? `${error.code} ${error.detail}`.trim() : (error as Error).message;
  }
}
