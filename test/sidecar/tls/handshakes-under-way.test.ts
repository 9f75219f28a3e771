import { once } from 'node:events';
import { Socket } from 'node:net';
import { expect } from 'chai';
import { HandshakesUnderWay } from '../../../sidecar/tls/handshakes-under-way.ts';
import { FakeClock } from '../../support/fake-clock.ts';

describe('the handshakes under way', () => {
  let clock: FakeClock;
  let handshakes: HandshakesUnderWay;

  beforeEach(() => {
    clock = new FakeClock();
    handshakes = new HandshakesUnderWay({ patient: 2, most: 4 }, clock);
  });

  const begun = (count: number): Socket[] =>
    Array.from({ length: count }, () => {
      const socket = new Socket();
      handshakes.begin(socket);
      return socket;
    });
  const open = (sockets: readonly Socket[]): boolean[] => sockets.map(({ destroyed }) => !destroyed);

  it('leave honest peers alone that come all at once', () => {
    expect(open(begun(4))).to.deep.equal([true, true, true, true]);
  });

  it('give up the oldest when it has had its moment and others wait', async () => {
    const strangers = begun(2);
    await clock.advance(2_000);
    begun(1);
    expect(open(strangers)).to.deep.equal([false, true]);
    expect(strangers.map((socket) => handshakes.hasCrowdedOut(socket))).to.deep.equal([true, false]);
  });

  it('give up the oldest in any case when there are far too many', () => {
    expect(open(begun(6))).to.deep.equal([false, false, true, true, true, true]);
  });

  it('are fewer with each that is done or closed', async () => {
    const [done, closed, ...others] = begun(4);
    handshakes.done(done);
    closed!.destroy();
    await once(closed!, 'close');
    expect(open([done!, ...others, ...begun(2)])).to.deep.equal([true, true, true, true, true]);
  });
});
