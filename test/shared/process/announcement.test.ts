import { expect } from 'chai';
import { Announcement } from '../../../shared/process/announcement.ts';
import { FakeClock } from '../../support/fake-clock.ts';

describe('the announcement of an end', () => {
  const held = (ms: number) => {
    const clock = new FakeClock();
    const announcement = new Announcement(clock);
    const state = { over: false };
    const done = announcement.hold(ms).then(() => {
      state.over = true;
    });
    return { clock, announcement, state, done };
  };

  it('lasts as long as it should', async () => {
    const { clock, state, done } = held(3000);
    await clock.advance(2999);
    expect(state.over).to.equal(false);
    await clock.advance(1);
    await done;
  });

  it('is over at once when someone cannot wait, and leaves no timer', async () => {
    const { clock, announcement, done } = held(3000);
    expect(announcement.skip()).to.equal(true);
    await done;
    expect(clock.pending).to.equal(0);
  });

  it('can be skipped once, and not before or after', async () => {
    expect(new Announcement(new FakeClock()).skip()).to.equal(false);
    const { announcement, done } = held(3000);
    announcement.skip();
    expect(announcement.skip()).to.equal(false);
    await done;
    expect(announcement.skip()).to.equal(false);
  });

  it('is none when nobody is to learn of it', async () => {
    const { clock, announcement, done } = held(0);
    expect(announcement.skip()).to.equal(false);
    await done;
    expect(clock.pending).to.equal(0);
  });
});
