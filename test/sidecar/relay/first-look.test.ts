/** A connection that is not understood yet ends in every way that connections end, and keeps nothing open behind it. */
import { expect } from 'chai';
import { Refusal } from '../../../shared/errors/refusal.ts';
import { type Caller, DetectRig, IDLE_MS, PATIENCE_MS, UNDECIDED_MS } from '../../support/detect-rig.ts';
import { until } from '../../support/until.ts';

const GET = 'GET /a HTTP/1.1\r\nHost: orders\r\n\r\n';

async function silent(rig: DetectRig): Promise<Caller> {
  const caller = rig.caller();
  await rig.clock.advance(PATIENCE_MS);
  await rig.destination(rig.reached.length - 1);
  return caller;
}

describe('a connection that is looked at', () => {
  it('is refused when it begins and then says too little for too long; the destination never hears of it', async () => {
    const rig = new DetectRig();
    const { recorder } = rig.caller();
    recorder.send('GE');
    await rig.clock.advance(UNDECIDED_MS - 1);
    expect(rig.codes).to.deep.equal([]);
    await rig.clock.advance(1);
    await until('it is closed', () => recorder.closed);
    expect([rig.codes, rig.reached.length]).to.deep.equal([['protocol_unknown'], 0]);
    expect(rig.clock.pending).to.equal(0);
  });

  it('may not gain time by sending letter after letter', async () => {
    const rig = new DetectRig();
    const { recorder } = rig.caller();
    for (const letter of 'GETT') {
      recorder.send(letter);
      await rig.clock.advance(UNDECIDED_MS / 4);
    }
    await until('it is closed', () => recorder.closed);
    expect(rig.codes).to.deep.equal(['protocol_unknown']);
  });

  it('ends in order when nobody speaks', async () => {
    const rig = new DetectRig();
    const { recorder } = await silent(rig);
    const [{ recorder: app }] = rig.reached as [(typeof rig.reached)[0]];
    await rig.clock.advance(IDLE_MS - 1);
    expect([recorder.ended, app.closed]).to.deep.equal([false, undefined]);
    await rig.clock.advance(1);
    await until('both are told', () => recorder.ended && app.closed);
    recorder.channel.end();
    await until('it is counted', () => rig.refused.length > 0);
    expect(rig.codes).to.deep.equal(['connection_idle']);
  });

  it('is closed after a moment when its client does not end too', async () => {
    const rig = new DetectRig();
    const { recorder } = await silent(rig);
    await rig.clock.advance(IDLE_MS);
    await until('it is told', () => recorder.ended);
    await rig.clock.advance(10_000);
    await until('it is closed', () => recorder.closed);
    expect(rig.clock.pending).to.equal(0);
  });

  it('reaches the destination when its client ends without a word, for the answer may be all', async () => {
    const rig = new DetectRig();
    const { recorder } = rig.caller();
    recorder.channel.end();
    const { recorder: app } = await rig.destination(0);
    await until('it ended there', () => app.ended);
    app.send('12:00:00\r\n').channel.end();
    await until('the answer', () => recorder.text === '12:00:00\r\n' && recorder.ended);
    expect([app.text, rig.codes]).to.deep.equal(['', []]);
  });

  it('carries the few bytes of a client that ends before they say anything', async () => {
    const rig = new DetectRig();
    const { recorder } = rig.caller();
    recorder.send('GE').channel.end();
    const { recorder: app } = await rig.destination(0);
    await until('they came', () => app.text === 'GE' && app.ended);
  });

  it('ends with a destination that ends without a word, and is not remembered as one that speaks first', async () => {
    const rig = new DetectRig();
    const { recorder } = await silent(rig);
    rig.reached[0]!.recorder.channel.end();
    await until('the client is told', () => recorder.ended);
    recorder.channel.end();
    rig.caller();
    await rig.clock.advance(PATIENCE_MS - 1);
    expect([rig.reached.length, rig.codes]).to.deep.equal([1, []]);
  });

  it('breaks with a destination that breaks, or that cannot be reached, with its code', async () => {
    const rig = new DetectRig();
    const first = await silent(rig);
    rig.reached[0]!.recorder.channel.abort(new Refusal('connection_broken'));
    await until('it is closed', () => first.recorder.closed);

    const away = new DetectRig({
      dialing: () => {
        throw new Refusal('upstream_timeout');
      },
    });
    const { recorder } = away.caller();
    await away.clock.advance(PATIENCE_MS);
    await until('it is closed', () => recorder.closed);
    expect([rig.codes, away.codes]).to.deep.equal([['connection_broken'], ['upstream_timeout']]);
  });

  it('is nobody’s fault when its client leaves, at any time', async () => {
    const rig = new DetectRig();
    rig.caller().recorder.channel.abort(new Refusal('connection_broken'));
    const looked = await silent(rig);
    looked.recorder.channel.abort(new Refusal('connection_broken'));
    await until('the destination is let go', () => rig.reached[0]!.recorder.closed);
    await rig.clock.advance(0);
    expect([rig.codes, rig.clock.pending]).to.deep.equal([[], 0]);
  });
});

describe('a connection that is looked at, when the sidecar', () => {
  it('drains, ends if it is silent, and is cut if its client stays', async () => {
    const rig = new DetectRig();
    const fresh = rig.caller();
    const looked = await silent(rig);
    rig.relay.drain();
    await until('both are told', () => fresh.recorder.ended && looked.recorder.ended);
    await until('the destination is let go', () => rig.reached.every(({ recorder }) => recorder.closed));
    for (const { connection } of [fresh, looked]) connection.carrier!.cut(new Refusal('draining'));
    await until('both are closed', () => fresh.recorder.closed && looked.recorder.closed);
    expect(rig.codes).to.deep.equal([]);
  });

  it('drains while its destination is being reached, is carried to its end', async () => {
    let reach = (): void => {};
    const rig = new DetectRig({ dialing: () => new Promise((resolve) => (reach = resolve)) });
    const { recorder, connection } = rig.caller();
    recorder.send('*1\r\n');
    await rig.clock.advance(0);
    connection.carrier!.retire('draining');
    reach();
    const { recorder: app } = await rig.destination(0);
    await until('it came', () => app.text === '*1\r\n');
    expect(recorder.closed).to.equal(undefined);
  });

  it('has an identity that expires, is refused; that rotates, is not', async () => {
    const rig = new DetectRig();
    const { recorder, connection } = rig.caller();
    connection.carrier!.retire('rotation');
    connection.carrier!.retire('expiry');
    await rig.clock.advance(0);
    expect(recorder.ended).to.equal(false);
    connection.expire();
    await until('it is closed', () => recorder.closed);
    expect(rig.codes).to.deep.equal(['connection_expired']);
  });

  it('cuts it, is gone at once, whatever it waits for', async () => {
    for (const sent of ['', 'GE', '*1\r\n']) {
      const rig = new DetectRig({ dialing: () => new Promise<void>(() => {}) });
      const { recorder, connection } = rig.caller();
      recorder.send(sent);
      await rig.clock.advance(PATIENCE_MS);
      connection.carrier!.cut(new Refusal('connection_expired'));
      await until('it is closed', () => recorder.closed);
      expect([rig.codes, rig.clock.pending]).to.deep.equal([['connection_expired'], 0]);
    }
  });

  it('closes, is gone at once', async () => {
    const rig = new DetectRig();
    const looked = await silent(rig);
    rig.relay.close();
    await until('it is closed', () => looked.recorder.closed && rig.reached[0]!.recorder.closed);
    expect(rig.codes).to.deep.equal(['draining']);
  });

  it('was left before it was looked at, gives up what was made for it', async () => {
    const rig = new DetectRig();
    const { recorder, inner } = rig.caller();
    recorder.channel.abort(new Refusal('connection_broken'));
    await until('it is closed', () => inner.isClosed);
    const released: string[] = [];
    const ready = { channel: rig.caller().inner, release: () => void released.push('once') };
    rig.relay.accept({ channel: inner, connection: { id: 2, state: 'open', requests: 0, carriedBy() {} }, ready });
    expect(released).to.deep.equal(['once']);
  });
});

describe('the place that a connection takes at its destination', () => {
  const ends: readonly (readonly [string, (rig: DetectRig) => Promise<void>])[] = [
    [
      'the client leaves in silence',
      async (rig) => (await silent(rig)).recorder.channel.abort(new Refusal('connection_broken')),
    ],
    ['it is cut', async (rig) => (await silent(rig)).connection.carrier!.cut(new Refusal('draining'))],
    ['the sidecar drains', async (rig) => (await silent(rig)).connection.carrier!.retire('draining')],
    ['the destination ends', async (rig) => (await silent(rig)) && rig.reached[0]!.recorder.channel.end()],
    [
      'it says too little',
      async (rig) => {
        (await silent(rig)).recorder.send('G');
        await rig.clock.advance(UNDECIDED_MS);
      },
    ],
    [
      'bytes were carried to their end',
      async (rig) => {
        const { recorder } = await silent(rig);
        recorder.send('*1\r\n').channel.end();
        rig.reached[0]!.recorder.channel.end();
        await until('it is over', () => recorder.closed);
      },
    ],
    [
      'requests took the connection over',
      async (rig) => {
        const { recorder } = await silent(rig);
        recorder.send(GET);
        await until('the request', () => rig.reached[0]!.recorder.text.includes('\r\n\r\n'));
      },
    ],
  ];
  for (const [how, end] of ends) {
    it(`is free again when ${how}`, async () => {
      const rig = new DetectRig({ mostActive: 1 });
      await end(rig);
      await rig.clock.advance(0);
      const { recorder } = rig.caller();
      recorder.send('*2\r\n');
      await until('it is carried', () => rig.reached.some(({ recorder: app }) => app.text === '*2\r\n'));
      expect(rig.codes).to.not.include('upstream_overloaded');
    });
  }

  it('is refused beyond the circuit limit', async () => {
    const rig = new DetectRig({ mostActive: 1 });
    await silent(rig);
    const { recorder } = rig.caller();
    recorder.send('*2\r\n');
    await until('it is closed', () => recorder.closed);
    expect(rig.codes).to.deep.equal(['upstream_overloaded']);
  });
});
