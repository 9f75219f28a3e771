import { expect } from 'chai';
import { type LineSink, type StreamEnd, WatchStream } from '../../../citadel/distribute/watch-stream.ts';
import { FakeClock } from '../../support/fake-clock.ts';

class Sink implements LineSink {
  readonly lines: string[] = [];
  writableLength = 0;
  state = 'open';
  write(line: string): void {
    this.lines.push(line);
  }
  end(): void {
    this.state = 'ended';
  }
  destroy(): void {
    this.state = 'destroyed';
  }
}

describe('a watch stream', () => {
  const opened = () => {
    const clock = new FakeClock();
    const sink = new Sink();
    const ends: StreamEnd[] = [];
    const stream = new WatchStream({
      sink,
      clock,
      endsAt: clock.now() + 60_000,
      heartbeatMs: 15_000,
      mostQueued: 100,
      onEnd: (why) => ends.push(why),
    });
    return { clock, sink, stream, ends };
  };

  it('sends a heartbeat only when nothing else was sent for as long', async () => {
    const { clock, sink, stream } = opened();
    await clock.advance(14_000);
    stream.send('news\n');
    await clock.advance(14_000);
    expect(sink.lines).to.deep.equal(['news\n']);
    await clock.advance(1_000);
    expect(JSON.parse(sink.lines[1]!)).to.deep.equal({
      type: 'heartbeat',
      serverTime: new Date(clock.now()).toISOString(),
    });
  });

  it('ends with its token, once, and leaves no timer behind', async () => {
    const { clock, sink, stream, ends } = opened();
    await clock.advance(60_000);
    stream.end('drained');
    stream.send('late\n');
    expect([ends, sink.state, clock.pending]).to.deep.equal([['token_expired'], 'ended', 0]);
    expect(sink.lines).not.to.include('late\n');
  });

  it('is cut, not ended, when its reader is too slow', async () => {
    const { sink, stream, ends } = opened();
    sink.writableLength = 98;
    stream.send('news\n');
    expect([ends, sink.state, sink.lines]).to.deep.equal([['slow_reader'], 'destroyed', []]);
  });

  it('does not touch a sink whose reader has gone', async () => {
    const { sink, stream, ends } = opened();
    stream.end('left');
    expect([ends, sink.state]).to.deep.equal([['left'], 'open']);
  });
});
