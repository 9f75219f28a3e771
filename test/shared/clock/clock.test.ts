import { expect } from 'chai';
import { pause, systemClock, systemRandomness } from '../../../shared/clock/clock.ts';
import { FakeClock } from '../../support/fake-clock.ts';

describe('the clock', () => {
  it('fires once, after the time, and not at all when cancelled', async () => {
    const started = systemClock.monotonic();
    const cancelled = systemClock.after(1, () => expect.fail('was cancelled'));
    cancelled.cancel();
    cancelled.cancel();
    await new Promise<void>((resolve) => systemClock.after(20, resolve));
    expect(systemClock.monotonic() - started).to.be.greaterThan(18);
  });

  it('waits longer than a timer of Node can', async () => {
    const timer = systemClock.after(2 ** 31 + 1000, () => expect.fail('fired at once'));
    await new Promise<void>((resolve) => systemClock.after(20, resolve));
    timer.cancel();
  });

  it('ends a timer with the block it was made in', async () => {
    {
      using _timer = systemClock.after(1, () => expect.fail('was disposed'));
    }
    await new Promise<void>((resolve) => systemClock.after(20, resolve));
  });

  it('draws evenly in [0, 1)', () => {
    const draws = Array.from({ length: 10_000 }, () => systemRandomness.draw());
    expect(draws.every((draw) => draw >= 0 && draw < 1)).to.equal(true);
    expect(draws.reduce((sum, draw) => sum + draw) / draws.length).to.be.closeTo(0.5, 0.05);
  });

  it('gives strong bytes in any number, and never the same twice', () => {
    const seen = new Set<string>();
    for (const count of [16, 64, 65, 5000, 16]) {
      for (let at = 0; at < 600; at++) seen.add(systemRandomness.bytes(count).toString('hex'));
    }
    expect(seen).to.have.length(3000);
    expect(systemRandomness.bytes(0)).to.have.length(0);
    const bytes = Buffer.concat(Array.from({ length: 4000 }, () => systemRandomness.bytes(16)));
    const bits = bytes.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);
    expect(bits / (bytes.length * 8)).to.be.closeTo(0.5, 0.01);
  });
});

describe('a pause', () => {
  it('ends after its time and leaves nothing at its signal', async () => {
    const clock = new FakeClock();
    const controller = new AbortController();
    const done = pause(clock, 1000, controller.signal);
    await clock.advance(1000);
    await done;
    controller.abort(new Error('too late to matter'));
    expect(clock.pending).to.equal(0);
  });

  it('ends with the reason of its signal, and takes its timer away', async () => {
    const clock = new FakeClock();
    const controller = new AbortController();
    const done = pause(clock, 1000, controller.signal).then(
      () => 'waited',
      (error: Error) => error.message,
    );
    controller.abort(new Error('stop'));
    expect([await done, clock.pending]).to.deep.equal(['stop', 0]);
  });

  it('does not begin when its signal was aborted before', async () => {
    const clock = new FakeClock();
    const done = pause(clock, 1000, AbortSignal.abort(new Error('stop'))).catch((error: Error) => error.message);
    expect([await done, clock.pending]).to.deep.equal(['stop', 0]);
  });
});
