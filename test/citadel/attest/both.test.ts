import { expect } from 'chai';
import type { Attested, Attestor } from '../../../citadel/attest/attestor.ts';
import { createBothAttestor } from '../../../citadel/attest/both.ts';
import { Refusal } from '../../../shared/errors/refusal.ts';
import { refusalCodeOf, refusalOf } from '../../support/refusals.ts';

const never = new AbortController().signal;
const FACTS: Attested = {
  method: 'oidc',
  namespace: 'shop',
  serviceAccount: 'web',
  serviceAccountUid: 'sa-uid',
  podName: 'web-1',
  podUid: 'pod-uid',
  nodeName: 'node-1',
  tokenId: 't1',
  tokenExpiresAt: 1_800_000_000_000,
};

/** An attestor that knows one answer and counts how often it is asked. */
function knowing(answer: Attested | Refusal) {
  const attestor = {
    asked: 0,
    closed: 0,
    async attest() {
      attestor.asked++;
      if (answer instanceof Refusal) throw answer;
      return answer;
    },
    async close() {
      attestor.closed++;
    },
  } satisfies Attestor & { asked: number; closed: number };
  return attestor;
}

describe('attestation both ways', () => {
  it('accepts what both tell alike', async () => {
    const both = createBothAttestor(knowing(FACTS), knowing({ ...FACTS, method: 'token-review' }));
    expect(await both.attest('t', never)).to.deep.equal({ ...FACTS, method: 'both' });
  });

  for (const fact of [
    'namespace',
    'serviceAccount',
    'serviceAccountUid',
    'podName',
    'podUid',
    'nodeName',
    'tokenId',
  ] as const) {
    it(`refuses when the two tell another ${fact}`, async () => {
      const refusal = await refusalOf(
        createBothAttestor(knowing(FACTS), knowing({ ...FACTS, [fact]: 'other' })).attest('t', never),
      );
      expect([refusal.code, refusal.detail]).to.deep.equal(['token_pod_mismatch', `${fact} differ`]);
    });
  }

  it('lets one of them be silent about the node', async () => {
    const { nodeName: _, ...silent } = FACTS;
    expect((await createBothAttestor(knowing(silent), knowing(FACTS)).attest('t', never)).nodeName).to.equal('node-1');
  });

  it('asks the API server nothing about a token that is refused offline', async () => {
    const review = knowing(FACTS);
    expect(
      await refusalCodeOf(createBothAttestor(knowing(new Refusal('token_expired')), review).attest('t', never)),
    ).to.equal('token_expired');
    expect(review.asked).to.equal(0);
  });

  it('refuses what only the API server refuses', async () => {
    const both = createBothAttestor(knowing(FACTS), knowing(new Refusal('token_pod_gone')));
    expect(await refusalCodeOf(both.attest('t', never))).to.equal('token_pod_gone');
  });

  it('closes both', async () => {
    const parts = [knowing(FACTS), knowing(FACTS)] as const;
    await createBothAttestor(...parts).close();
    expect(parts.map(({ closed }) => closed)).to.deep.equal([1, 1]);
  });
});
