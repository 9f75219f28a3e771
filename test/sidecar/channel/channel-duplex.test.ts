import { expect } from 'chai';
import { Refusal } from '../../../shared/errors/refusal.ts';
import { ChannelDuplex } from '../../../sidecar/channel/channel-duplex.ts';
import { MemoryChannel, Recorder } from '../../support/memory-channel.ts';
import { until } from '../../support/until.ts';

function pair() {
  const [inner, outer] = MemoryChannel.pair({ lends: true, room: 10 });
  return { stream: new ChannelDuplex(inner), inner, other: new Recorder(outer) };
}

describe('a channel as a stream', () => {
  it('gives all that has come, also when the channel was closed in order before anybody read', async () => {
    const { stream, inner, other } = pair();
    stream.end('bye');
    other.send('what came').channel.end();
    await until('it is closed', () => inner.isClosed);
    let text = '';
    for await (const part of stream) text += part;
    expect([text, other.text]).to.deep.equal(['what came', 'bye']);
    await until('it is over', () => stream.destroyed);
  });

  it('stops its writer until there is room, and ends after everything', async () => {
    const { stream, other } = pair();
    other.channel.pause();
    let written = 0;
    for (let at = 0; at < 3; at++) stream.write('x'.repeat(20), () => written++);
    stream.end();
    await new Promise((resolve) => setImmediate(resolve));
    expect(written).to.equal(0);
    other.channel.resume();
    await until('the end has come', () => other.ended);
    expect([other.text.length, written]).to.deep.equal([60, 3]);
  });

  it('breaks when the channel breaks, and the other way round', async () => {
    const one = pair();
    let error: unknown;
    one.stream.on('error', (thrown) => {
      error = thrown;
    });
    one.other.channel.abort(new Refusal('connection_broken'));
    await until('it is broken', () => error);
    const two = pair();
    two.stream.on('error', () => {});
    two.stream.destroy();
    await until('the other side sees it', () => two.other.closed);
    expect([one.stream.destroyed, two.other.closed?.failure?.code]).to.deep.equal([true, 'connection_broken']);
  });
});
