/**
 * Both ways, one after the other: the offline check is the cheap reject, TokenReview then says whether the pod
 * still lives. They must tell the same facts. A token is never accepted by one of them alone.
 */
import { Refusal } from '../../shared/errors/refusal.ts';
import type { Attested, Attestor } from './attestor.ts';

/** Facts that both must know, and agree on. */
const SAME = [
  'namespace',
  'serviceAccount',
  'serviceAccountUid',
  'podName',
  'podUid',
  'tokenId',
  'tokenExpiresAt',
] as const;

export function createBothAttestor(offline: Attestor, review: Attestor): Attestor {
  return {
    async attest(token, signal) {
      const claimed = await offline.attest(token, signal);
      const reviewed = await review.attest(token, signal);
      const different = differences(claimed, reviewed);
      if (different.length > 0) throw new Refusal('token_pod_mismatch', `${different.join(', ')} differ`);
      return { ...reviewed, method: 'both' };
    },
    async close() {
      await Promise.all([offline.close(), review.close()]);
    },
  };
}

function differences(claimed: Attested, reviewed: Attested): string[] {
  const different: string[] = SAME.filter((fact) => claimed[fact] !== reviewed[fact]);
  // Older clusters name the node in one of the two places only.
  const bothNamed = claimed.nodeName !== undefined && reviewed.nodeName !== undefined;
  if (bothNamed && claimed.nodeName !== reviewed.nodeName) different.push('nodeName');
  return different;
}
