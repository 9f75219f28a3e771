import { expect } from 'chai';
import { checkChain } from '../../../citadel/authority/check-chain.ts';
import { pkijsVerdict } from '../../../citadel/authority/pkijs-verdict.ts';
import { systemClock, systemRandomness } from '../../../shared/clock/clock.ts';
import { materialOf } from '../../support/authority-material.ts';
import { refusalOf } from '../../support/refusals.ts';
import { createTestAuthority } from '../../support/test-authority.ts';

const NOW = systemClock.now();
const CONTEXT = { trustDomain: 'cluster.local', now: NOW, randomness: systemRandomness };
const root = createTestAuthority({ trustDomain: 'cluster.local' });
const signing = root.intermediate();

describe('the check of an authority', () => {
  it('needs both opinions: pkijs alone can refuse', async () => {
    await checkChain(materialOf(signing), CONTEXT);
    const refusal = await refusalOf(checkChain(materialOf(signing), CONTEXT, async () => 'no good'));
    expect([refusal.code, refusal.detail.split(': ').slice(1).join(': ')]).to.deep.equal([
      'authority_chain_invalid',
      'own verifier: valid; pkijs: no good',
    ]);
  });

  it('asks for the second opinion on a leaf that the authority signed, with its path and roots', async () => {
    let chainLength = 0;
    await checkChain(materialOf(signing.intermediate(), [signing]), CONTEXT, async (chain, roots, now) => {
      chainLength = chain.length;
      return pkijsVerdict(chain, roots, now);
    });
    expect(chainLength).to.equal(3);
  });
});

describe('the verdict of pkijs', () => {
  const { chainDer } = signing.svid();
  it('is none for a good chain', async () => {
    expect(await pkijsVerdict(chainDer, [root.rootDer], NOW)).to.equal(undefined);
  });

  it('says what is wrong with a chain under another root, out of time or with a link missing', async () => {
    const other = createTestAuthority({ trustDomain: 'cluster.local' });
    expect(await pkijsVerdict(chainDer, [other.rootDer], NOW)).to.be.a('string');
    expect(await pkijsVerdict(chainDer, [root.rootDer], NOW + 365 * 86_400_000)).to.match(/expired/);
    expect(await pkijsVerdict(chainDer.slice(0, 1), [root.rootDer], NOW)).to.be.a('string');
    expect(await pkijsVerdict([Buffer.of(1, 2, 3)], [root.rootDer], NOW)).to.be.a('string');
  });
});
