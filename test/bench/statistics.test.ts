import { expect } from 'chai';
import { median, quantile, ratioByRound, shown, spread } from './statistics.ts';

describe('statistics of a few runs', () => {
  it('takes the middle, or the mean of the two in the middle', () => {
    expect(median([9, 1, 5])).to.equal(5);
    expect(median([8, 2, 4, 6])).to.equal(5);
  });

  it('leaves the runs in their order', () => {
    const runs = [3, 1, 2];
    median(runs);
    spread(runs);
    expect(runs).to.deep.equal([3, 1, 2]);
    expect(shown(runs, 0)).to.equal('2 (3 1 2)');
  });

  it('has no median of nothing', () => {
    expect(median([])).to.be.NaN;
    expect(quantile([], 0.5)).to.be.NaN;
  });

  it('takes ratios within a round, so that a slow round does not count against one side', () => {
    // In its second half the machine was three times slower: once for us alone, once for both.
    const [ours, theirs] = [
      [10, 30, 30],
      [20, 20, 60],
    ];
    expect(ratioByRound(ours, theirs)).to.equal(0.5);
    expect(median(ours) / median(theirs)).to.equal(1.5);
  });

  it('compares only rounds that both have', () => {
    expect(ratioByRound([1, 2, 30], [2, 4])).to.equal(0.5);
    expect(ratioByRound([], [1])).to.be.NaN;
  });

  it('tells how far runs lie apart as a part of their median', () => {
    expect(spread([90, 100, 120])).to.be.closeTo(0.3, 1e-12);
    expect(spread([7])).to.equal(0);
  });

  it('finds quantiles without going past the end', () => {
    expect(quantile([4, 1, 3, 2], 0)).to.equal(1);
    expect(quantile([4, 1, 3, 2], 0.5)).to.equal(3);
    expect(quantile([4, 1, 3, 2], 1)).to.equal(4);
  });
});
