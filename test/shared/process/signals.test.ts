import { EventEmitter } from 'node:events';
import { expect } from 'chai';
import { onSignals } from '../../../shared/process/signals.ts';
import { FakeClock } from '../../support/fake-clock.ts';

describe('signals', () => {
  const opened = () => {
    const clock = new FakeClock();
    const seen: string[] = [];
    const emitter = new EventEmitter();
    const source = Object.assign(emitter, { exit: (code: number) => seen.push(`exit ${code}`) });
    const waits = { left: 0 };
    const hurry = (): boolean => {
      if (waits.left === 0) return false;
      seen.push('hurry');
      return waits.left-- > 0;
    };
    const remove = onSignals(
      { terminate: (signal) => seen.push(signal), hurry, reload: () => seen.push('reload') },
      clock,
      source as never,
    );
    return { clock, seen, emitter, remove, waits };
  };

  it('end the program in order once, however often the same wish arrives', () => {
    const { seen, emitter } = opened();
    emitter.emit('SIGINT', 'SIGINT');
    emitter.emit('SIGINT', 'SIGINT');
    emitter.emit('SIGTERM', 'SIGTERM');
    expect(seen).to.deep.equal(['SIGINT']);
  });

  it('end it at once when someone insists', async () => {
    const { clock, seen, emitter } = opened();
    emitter.emit('SIGTERM', 'SIGTERM');
    await clock.advance(1_001);
    emitter.emit('SIGINT', 'SIGINT');
    expect(seen).to.deep.equal(['SIGTERM', 'exit 6']);
  });

  it('skip a wait first when someone insists, and end it at once when they insist again', async () => {
    const { clock, seen, emitter, waits } = opened();
    waits.left = 1;
    emitter.emit('SIGTERM', 'SIGTERM');
    await clock.advance(1_001);
    emitter.emit('SIGTERM', 'SIGTERM');
    // The same wish, passed on by a launcher.
    emitter.emit('SIGTERM', 'SIGTERM');
    expect(seen).to.deep.equal(['SIGTERM', 'hurry']);
    await clock.advance(1_001);
    emitter.emit('SIGTERM', 'SIGTERM');
    expect(seen).to.deep.equal(['SIGTERM', 'hurry', 'exit 6']);
  });

  it('have it read its files again on SIGHUP, every time', () => {
    const { seen, emitter } = opened();
    emitter.emit('SIGHUP', 'SIGHUP');
    emitter.emit('SIGHUP', 'SIGHUP');
    expect(seen).to.deep.equal(['reload', 'reload']);
  });

  it('are left alone once the handlers are taken away', () => {
    const { emitter, remove } = opened();
    remove();
    expect(emitter.eventNames()).to.deep.equal([]);
  });
});
