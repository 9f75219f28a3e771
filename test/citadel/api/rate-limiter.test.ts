import { expect } from 'chai';
import { RateLimiter } from '../../../citadel/api/rate-limiter.ts';
import { Refusal } from '../../../shared/errors/refusal.ts';
import { FakeClock } from '../../support/fake-clock.ts';

describe('the rate limit per pod', () => {
  const attempt = (limiter: RateLimiter, pod: string): number | 'through' => {
    try {
      limiter.take(pod);
      return 'through';
    } catch (error) {
      expect(error).to.be.instanceOf(Refusal).and.to.include({ code: 'rate_limited' });
      return (error as Refusal).retryAfterSeconds ?? 0;
    }
  };

  it('lets a burst through, then the rate, and tells when the next one would pass', async () => {
    const clock = new FakeClock();
    const limiter = new RateLimiter(clock, { perSecond: 2, burst: 3 });
    expect([1, 2, 3].map(() => attempt(limiter, 'a'))).to.deep.equal(['through', 'through', 'through']);
    expect(attempt(limiter, 'a')).to.equal(0.5);
    await clock.advance(500);
    expect([attempt(limiter, 'a'), attempt(limiter, 'a')]).to.deep.equal(['through', 0.5]);
  });

  it('never gives more than the burst after a long rest', async () => {
    const clock = new FakeClock();
    const limiter = new RateLimiter(clock, { perSecond: 2, burst: 3 });
    attempt(limiter, 'a');
    await clock.advance(1_000_000);
    expect([1, 2, 3, 4].map(() => attempt(limiter, 'a'))).to.deep.equal(['through', 'through', 'through', 0.5]);
  });

  it('costs no other pod anything', async () => {
    const limiter = new RateLimiter(new FakeClock(), { perSecond: 1, burst: 1 });
    expect([attempt(limiter, 'a'), attempt(limiter, 'b'), attempt(limiter, 'a')]).to.deep.equal([
      'through',
      'through',
      1,
    ]);
  });

  it('is not fooled by a wall clock that jumps', async () => {
    const clock = new FakeClock();
    const limiter = new RateLimiter(clock, { perSecond: 1, burst: 1 });
    attempt(limiter, 'a');
    clock.jump(3_600_000);
    expect(attempt(limiter, 'a')).to.equal(1);
  });

  it('is bounded, and forgets who has been silent longest', async () => {
    const limiter = new RateLimiter(new FakeClock(), { perSecond: 1, burst: 1, mostCallers: 2 });
    attempt(limiter, 'a');
    attempt(limiter, 'b');
    attempt(limiter, 'a');
    attempt(limiter, 'c');
    expect(limiter.callers).to.equal(2);
    expect([attempt(limiter, 'a'), attempt(limiter, 'c')]).to.deep.equal([1, 1]);
  });
});
