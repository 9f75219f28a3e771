import { expect } from 'chai';
import { Refusal } from '../../../shared/errors/refusal.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { type Destination, MemoryRig } from '../../support/memory-rig.ts';
import { until } from '../../support/until.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** Asks once and answers with `answer`, then asks again. @returns how many connections were made for the two */
async function connectionsFor(answer: string, request = GET, between: (first: Destination) => void = () => {}) {
  const rig = new MemoryRig();
  const { recorder } = rig.caller();
  recorder.send(request);
  const first = await rig.destination(0);
  await until('it is asked', () => first.recorder.text.includes('\r\n\r\n'));
  first.recorder.send(answer);
  await until('it is answered', () => rig.served.length === 1);
  between(first);
  const other = rig.caller().recorder.send(GET);
  await until('it is asked again', () => {
    const [{ recorder: one }, two] = [rig.destinations[0]!, rig.destinations[1]];
    return two ? two.recorder.text.endsWith('\r\n\r\n') : (one.text.match(/^GET /gm)?.length ?? 0) > 1;
  });
  rig.destinations.at(-1)!.recorder.send(OK);
  await until('it is answered, too', () => other.text.endsWith('ok'));
  return rig.destinations.length;
}

describe('connections to a destination', () => {
  it('are used again after an answer that has ended, whoever asks', async () => {
    expect(await connectionsFor(OK)).to.equal(1);
    expect(
      await connectionsFor('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nA: b\r\n\r\n'),
    ).to.equal(1);
    expect(await connectionsFor('HTTP/1.1 204 No Content\r\n\r\n')).to.equal(1);
    expect(await connectionsFor('HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n')).to.equal(1);
  });

  const notAgain: Readonly<Record<string, string>> = {
    'that says it is the last one': 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok',
    'of HTTP/1.0 that does not keep it': 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok',
    'with bytes behind it': `${OK}HTTP/1.1 200 OK\r\n`,
    'without a body that tells a length': 'HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n',
  };
  for (const [what, answer] of Object.entries(notAgain)) {
    it(`are not used again after an answer ${what}`, async () => {
      expect(await connectionsFor(answer)).to.equal(2);
    });
  }

  it('are not used again after an answer that came before its request had', async () => {
    const post = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12';
    expect(await connectionsFor(OK, post)).to.equal(2);
  });

  it('are not used again once they are retired, or when anything comes on them unasked', async () => {
    expect(await connectionsFor(OK, GET, ({ connection }) => connection.retire())).to.equal(2);
    expect(await connectionsFor(OK, GET, ({ connection }) => connection.expire())).to.equal(2);
  });

  it('end at once when they are retired while nobody uses them, and after the answer otherwise', async () => {
    const rig = new MemoryRig();
    const { recorder } = rig.caller();
    recorder.send(GET);
    const busy = await rig.destination(0);
    busy.connection.retire();
    busy.recorder.send(OK);
    await until('it is answered', () => recorder.text.endsWith('ok'));
    await until('it has ended', () => busy.recorder.ended);
    recorder.send(GET);
    const idle = await rig.destination(1);
    idle.recorder.send(OK);
    await until('it is answered', () => rig.served.length === 2);
    expect(idle.recorder.ended).to.equal(false);
    idle.connection.retire();
    await until('it has ended', () => idle.recorder.ended);
  });

  it('that speak unasked are ended, and nobody hears it', async () => {
    const rig = new MemoryRig();
    const { recorder } = rig.caller();
    recorder.send(GET);
    const { recorder: destination } = await rig.destination(0);
    destination.send(OK);
    await until('it is answered', () => recorder.text.endsWith('ok'));
    destination.send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil');
    await until('it has ended', () => destination.ended);
    recorder.send(GET);
    (await rig.destination(1)).recorder.send(OK);
    await until('it is answered', () => /ok[\s\S]*ok$/.test(recorder.text));
    expect(recorder.text).not.to.contain('evil');
  });

  it('that were paused for one request flow for the next one', async () => {
    const rig = new MemoryRig({ channels: { room: 1000 } });
    const slow = rig.caller();
    slow.recorder.channel.pause();
    slow.recorder.send(GET);
    const { recorder, channel } = await rig.destination(0);
    recorder.send(`HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n${'x'.repeat(2000)}`);
    await until('it is paused', () => channel.isPaused);
    recorder.send('x'.repeat(2000));
    slow.recorder.channel.resume();
    await until('it is answered', () => slow.recorder.text.endsWith('x'.repeat(4000)));
    const other = rig.caller();
    other.recorder.send(GET);
    await until('it is asked', () => /GET[\s\S]*GET/.test(recorder.text));
    recorder.send(OK);
    await until('it is answered, too', () => other.recorder.text.endsWith('ok'));
    expect(rig.destinations).to.have.length(1);
  });

  it('end when nobody has used them for half of the idle limit', async () => {
    const clock = new FakeClock();
    const rig = new MemoryRig({ clock, limits: { idleSeconds: 100 } });
    const { recorder } = rig.caller();
    recorder.send(GET);
    const { recorder: destination } = await rig.destination(0);
    destination.send(OK);
    await until('it is answered', () => recorder.text.endsWith('ok'));
    await clock.advance(45_000);
    expect(destination.ended).to.equal(false);
    await clock.advance(10_000);
    await until('it has ended', () => destination.ended);
  });

  it('are dialed once more when a tunnel says that nothing was processed, whatever the request', async () => {
    const rig = new MemoryRig({
      dialing: (at) => {
        if (at === 0) throw new Refusal('tunnel_unprocessed');
      },
    });
    const { recorder } = rig.caller();
    recorder.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi');
    const { recorder: destination } = await rig.destination(0);
    await until('it is asked', () => destination.text.endsWith('\r\n\r\nhi'));
    destination.send(OK);
    await until('it is answered', () => recorder.text.endsWith('ok'));
  });

  it('are not dialed a third time', async () => {
    const rig = new MemoryRig({
      dialing: () => {
        throw new Refusal('tunnel_unprocessed');
      },
    });
    const { recorder } = rig.caller();
    recorder.send(GET);
    await until('it is told', () => recorder.text.includes('tunnel_unprocessed'));
    expect(rig.signals).to.have.length(2);
  });
});
