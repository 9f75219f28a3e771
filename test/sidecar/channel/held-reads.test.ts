import { expect } from 'chai';
import type { ChannelReceiver } from '../../../sidecar/channel/channel.ts';
import { HeldReads } from '../../../sidecar/channel/held-reads.ts';

function receiver(): ChannelReceiver & { readonly told: string[] } {
  const told: string[] = [];
  return {
    told,
    onBytes: (bytes, more) => void told.push(`${bytes}${more ? '+' : ''}`),
    onEnd: () => void told.push('end'),
    onDrain: () => {},
    onClose: () => {},
  };
}

describe('reads that are held', () => {
  it('are delivered in their order, the end last, from copies', () => {
    const held = new HeldReads();
    const lent = Buffer.from('one');
    held.hold(lent);
    lent.fill('!');
    held.hold(Buffer.from('two'));
    held.holdEnd();
    const to = receiver();
    expect(held.deliver(to, () => true)).to.equal(true);
    expect(to.told).to.deep.equal(['one+', 'two', 'end']);
  });

  it('stay as soon as they are not wanted, each part and the end', () => {
    const held = new HeldReads();
    held.hold(Buffer.from('one'));
    held.hold(Buffer.from('two'));
    held.holdEnd();
    const to = receiver();
    const wholes: boolean[] = [];
    for (const upTo of [0, 1, 2]) wholes.push(held.deliver(to, () => to.told.length < upTo));
    expect([wholes, to.told]).to.deep.equal([
      [false, false, false],
      ['one+', 'two'],
    ]);
    expect(held.deliver(to, () => true)).to.equal(true);
    expect(to.told).to.deep.equal(['one+', 'two', 'end']);
  });
});
