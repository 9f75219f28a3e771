import { expect } from 'chai';
import { releaseMemoryAfterStart } from '../../../sidecar/lifecycle/release-memory.ts';
import { FakeClock } from '../../support/fake-clock.ts';

describe('giving back what the start took', () => {
  it('happens once, and not in the first moments', async () => {
    const clock = new FakeClock();
    let collections = 0;
    releaseMemoryAfterStart(clock, () => collections++);
    await clock.advance(1_999);
    expect(collections).to.equal(0);
    await clock.advance(600_000);
    expect(collections).to.equal(1);
  });

  it('really collects', async () => {
    const clock = new FakeClock();
    let garbage: object | undefined = { large: 'x'.repeat(1000) };
    const seen = new WeakRef(garbage);
    garbage = undefined;
    releaseMemoryAfterStart(clock);
    await clock.advance(2_000);
    expect(seen.deref()).to.equal(undefined);
  });
});
