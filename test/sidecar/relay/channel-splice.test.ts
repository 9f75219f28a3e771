import { expect } from 'chai';
import { Refusal } from '../../../shared/errors/refusal.ts';
import { ChannelSplice } from '../../../sidecar/relay/channel-splice.ts';
import { IdleWatch } from '../../../sidecar/relay/idle-watch.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { MemoryChannel, type MemoryChannelOptions, Recorder } from '../../support/memory-channel.ts';
import { until } from '../../support/until.ts';

interface Spliced {
  readonly client: Recorder;
  readonly upstream: Recorder;
  /** The ends that are joined. */
  readonly inner: readonly [MemoryChannel, MemoryChannel];
  readonly splice: ChannelSplice;
  readonly clock: FakeClock;
  readonly overs: (Refusal | undefined)[];
}

function spliced(options: MemoryChannelOptions = {}): Spliced {
  const clock = new FakeClock();
  const [client, one] = MemoryChannel.pair({}, options);
  const [upstream, other] = MemoryChannel.pair({}, options);
  const recorders = { client: new Recorder(client), upstream: new Recorder(upstream) };
  const overs: (Refusal | undefined)[] = [];
  const splice = new ChannelSplice({
    client: one,
    upstream: other,
    watch: new IdleWatch(clock, 10),
    idleSeconds: 10,
    over: (why) => overs.push(why),
  });
  splice.join();
  return { ...recorders, inner: [one, other], splice, clock, overs };
}

const SIDES = [
  ['client', 'upstream'],
  ['upstream', 'client'],
] as const;

describe('spliced channels', () => {
  for (const [first, second] of SIDES) {
    it(`carry on in one direction when the ${first} has ended the other, and end in order`, async () => {
      const pair = spliced();
      const [one, other] = [pair[first], pair[second]];
      one.send('last').channel.end();
      await until('the end is told', () => other.ended);
      expect([other.text, one.ended, other.closed]).to.deep.equal(['last', false, undefined]);
      other.send('still').channel.end();
      await until('both are closed', () => one.closed && other.closed);
      expect([one.text, one.closed?.failure, other.closed?.failure]).to.deep.equal(['still', undefined, undefined]);
      await until('it is over', () => pair.overs.length === 1);
      expect(pair.overs).to.deep.equal([undefined]);
    });

    it(`break together when the ${first} breaks, also after it had ended its direction`, async () => {
      for (const ended of [false, true]) {
        const pair = spliced();
        const [one, other] = [pair[first], pair[second]];
        one.send('half');
        if (ended) one.channel.end();
        await until('it has come', () => other.text === 'half' && other.ended === ended);
        one.channel.abort(new Refusal('connection_broken'));
        await until('the other one breaks', () => other.closed);
        expect(other.closed?.failure?.code).to.equal('connection_broken');
        await until('it is over', () => pair.overs.length === 1);
      }
    });

    it(`hold little when the ${second} does not read, and lose nothing`, async () => {
      const pair = spliced({ room: 10_000 });
      const [one, other] = [pair[first], pair[second]];
      other.channel.pause();
      for (let sent = 0; sent < 1000; sent++) one.send('x'.repeat(1000));
      await until('it stands still', () => pair.inner.some(({ isPaused }) => isPaused));
      expect(other.channel.waiting).to.be.lessThan(12_000);
      other.channel.resume();
      await until('all has come', () => other.text.length === 1_000_000);
    });
  }

  it('keep no buffer that was lent to them', async () => {
    const pair = spliced({ lends: true, pieces: 3 });
    pair.client.send('from the client').channel.end();
    pair.upstream.send('from upstream').channel.end();
    await until('both are closed', () => pair.client.closed && pair.upstream.closed);
    expect([pair.upstream.text, pair.client.text]).to.deep.equal(['from the client', 'from upstream']);
  });

  it('close what was ended by us and is not ended by the other side', async () => {
    const pair = spliced();
    await pair.clock.advance(11_000);
    await until('the ends are told', () => pair.client.ended && pair.upstream.ended);
    expect(pair.overs).to.deep.equal([]);
    pair.client.channel.end();
    await pair.clock.advance(4_000);
    await until('it is over', () => pair.overs.length === 1);
    expect([pair.client.closed?.failure, pair.upstream.closed?.failure?.code]).to.deep.equal([
      undefined,
      'connection_broken',
    ]);
    expect(pair.overs[0]?.code).to.equal('connection_idle');
    expect(pair.clock.pending).to.equal(0);
  });

  it('end at a quiet moment when shutting down, and not before', async () => {
    const pair = spliced();
    pair.splice.retire('rotation');
    await pair.clock.advance(3_000);
    expect(pair.client.ended).to.equal(false);
    pair.splice.retire('draining');
    await pair.clock.advance(2_000);
    await until('the ends are told', () => pair.client.ended && pair.upstream.ended);
  });
});
