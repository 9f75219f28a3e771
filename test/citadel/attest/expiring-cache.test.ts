import { expect } from 'chai';
import { ExpiringCache } from '../../../citadel/attest/expiring-cache.ts';
import { FakeClock } from '../../support/fake-clock.ts';

describe('a cache of short-lived answers', () => {
  it('ends an entry by its own time although the wall clock was set back', async () => {
    const clock = new FakeClock();
    const cache = new ExpiringCache<string>(clock, 10);
    cache.put('a', 'yes', 1000, clock.now() + 60_000);
    clock.jump(-3_600_000);
    await clock.advance(999);
    expect(cache.get('a')).to.equal('yes');
    await clock.advance(1);
    expect(cache.get('a')).to.equal(undefined);
    expect(cache.size).to.equal(0);
  });

  it('ends an entry with the moment it must not outlive', () => {
    const clock = new FakeClock();
    const cache = new ExpiringCache<string>(clock, 10);
    cache.put('a', 'yes', 10_000, clock.now() + 5000);
    clock.jump(5000);
    expect(cache.get('a')).to.equal(undefined);
  });

  it('keeps nothing for no time', () => {
    const clock = new FakeClock();
    const cache = new ExpiringCache<string>(clock, 10);
    cache.put('a', 'yes', 0, clock.now() + 5000);
    expect(cache.size).to.equal(0);
  });

  it('forgets the first when it is full, and counts a renewed entry as the last', () => {
    const clock = new FakeClock();
    const cache = new ExpiringCache<number>(clock, 3);
    for (const [key, value] of [
      ['a', 1],
      ['b', 2],
      ['c', 3],
      ['a', 4],
      ['d', 5],
    ] as const)
      cache.put(key, value, 1000, clock.now() + 1000);
    expect(['a', 'b', 'c', 'd'].map((key) => cache.get(key))).to.deep.equal([4, undefined, 3, 5]);
  });
});
