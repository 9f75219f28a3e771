import { expect } from 'chai';
import { FakeClock } from './fake-clock.ts';
import { LossyQueue } from './lossy-queue.ts';

const packet = (number: number): Buffer => Buffer.from([number]);

describe('one direction of a lossy link', () => {
  function queueOf(seed = 1): { queue: LossyQueue; clock: FakeClock; delivered: number[] } {
    const clock = new FakeClock();
    const delivered: number[] = [];
    return { clock, delivered, queue: new LossyQueue(clock, seed, (one) => delivered.push(one[0]!)) };
  }

  it('delivers at once when there is no delay', () => {
    const { queue, delivered } = queueOf();
    queue.push(packet(7));
    expect(delivered).to.deep.equal([7]);
  });

  it('delivers after the delay, not before, in order', async () => {
    const { queue, clock, delivered } = queueOf();
    queue.conditions = { delayMs: 50, lossPercent: 0 };
    queue.push(packet(1));
    await clock.advance(10);
    queue.push(packet(2));
    await clock.advance(39);
    expect(delivered).to.deep.equal([]);
    await clock.advance(1);
    expect(delivered).to.deep.equal([1]);
    await clock.advance(10);
    expect(delivered).to.deep.equal([1, 2]);
    expect(clock.pending).to.equal(0);
  });

  it('lets no packet overtake another when the delay is shortened', async () => {
    const { queue, clock, delivered } = queueOf();
    queue.conditions = { delayMs: 100, lossPercent: 0 };
    queue.push(packet(1));
    queue.conditions = { delayMs: 0, lossPercent: 0 };
    queue.push(packet(2));
    expect(delivered).to.deep.equal([]);
    await clock.advance(100);
    expect(delivered).to.deep.equal([1, 2]);
  });

  it('loses about as many as it was told, and the same ones for the same seed', () => {
    const lossOf = (seed: number): number[] => {
      const { queue, delivered } = queueOf(seed);
      queue.conditions = { delayMs: 0, lossPercent: 10 };
      for (let at = 0; at < 10_000; at++) queue.push(packet(at % 256));
      expect(queue.lost + queue.carried).to.equal(10_000);
      expect(queue.lost).to.be.within(900, 1100);
      return delivered;
    };
    expect(lossOf(3)).to.deep.equal(lossOf(3));
    expect(lossOf(3)).not.to.deep.equal(lossOf(4));
  });

  it('carries all at 0 % and nothing at 100 %', () => {
    const { queue } = queueOf();
    for (let at = 0; at < 1000; at++) queue.push(packet(0));
    expect(queue.lost).to.equal(0);
    queue.conditions = { delayMs: 0, lossPercent: 100 };
    for (let at = 0; at < 1000; at++) queue.push(packet(0));
    expect(queue.lost).to.equal(1000);
  });
});
