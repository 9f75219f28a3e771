import { expect } from 'chai';
import { Acknowledgements } from '../../../citadel/distribute/acknowledgements.ts';
import { Refusal } from '../../../shared/errors/refusal.ts';

const LATER = 1_000_000;

describe('acknowledgements', () => {
  const refused = (work: () => void): string => {
    try {
      work();
    } catch (error) {
      if (error instanceof Refusal) return error.code;
      throw error;
    }
    return 'accepted';
  };

  it('counts a pod that skipped versions as having the newest it acknowledged', () => {
    const seen = new Acknowledgements(10);
    seen.joined('a', LATER);
    for (const version of [1, 2, 3]) seen.sent('a', version);
    seen.acknowledge('a', 3);
    expect(seen.acknowledgedBy(2, 0)).to.deep.equal({ by: ['a'], missing: [] });
  });

  it('never goes back to an older version', () => {
    const seen = new Acknowledgements(10);
    seen.joined('a', LATER);
    for (const version of [1, 2]) seen.sent('a', version);
    seen.acknowledge('a', 2);
    expect(refused(() => seen.acknowledge('a', 1))).to.equal('acknowledgement_unknown');
    expect(seen.lowest(0)).to.equal(2);
  });

  it('remembers a pod whose stream broke until its token expires, and then forgets it', () => {
    const seen = new Acknowledgements(10);
    seen.joined('a', LATER);
    seen.sent('a', 1);
    seen.left('a');
    seen.acknowledge('a', 1);
    expect(seen.acknowledgedBy(1, LATER - 1).by).to.deep.equal(['a']);
    expect(seen.acknowledgedBy(1, LATER)).to.deep.equal({ by: [], missing: [] });
  });

  it('keeps a pod that still watches, whenever its token expires', () => {
    const seen = new Acknowledgements(10);
    seen.joined('a', 5);
    expect(seen.acknowledgedBy(1, LATER).missing).to.deep.equal(['a']);
  });

  it('is bounded, and forgets the pod that has been away longest first', () => {
    const seen = new Acknowledgements(2);
    for (const pod of ['a', 'b']) {
      seen.joined(pod, LATER);
      seen.left(pod);
    }
    seen.joined('a', LATER);
    seen.joined('c', LATER);
    expect(seen.acknowledgedBy(1, 0).missing).to.deep.equal(['a', 'c']);
  });

  it('is bounded in the versions it remembers of a pod that never acknowledges', () => {
    const seen = new Acknowledgements(2);
    seen.joined('a', LATER);
    for (let version = 1; version <= 100; version++) seen.sent('a', version);
    expect(refused(() => seen.acknowledge('a', 1))).to.equal('acknowledgement_unknown');
    expect(refused(() => seen.acknowledge('a', 100))).to.equal('accepted');
  });

  it('knows no lowest version when nobody watches', () => {
    const seen = new Acknowledgements(2);
    seen.joined('a', LATER);
    seen.left('a');
    expect(seen.lowest(0)).to.equal(undefined);
  });
});
