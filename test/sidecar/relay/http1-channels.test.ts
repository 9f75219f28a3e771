import { expect } from 'chai';
import { Refusal } from '../../../shared/errors/refusal.ts';
import type { MemoryChannelOptions } from '../../support/memory-channel.ts';
import { MemoryRig } from '../../support/memory-rig.ts';
import { until } from '../../support/until.ts';

const POST = 'POST /a HTTP/1.1\r\nHost: a\r\nX-Request-Id: 1\r\n';
const ASKED = 'POST /a HTTP/1.1\r\nHost: a\r\nX-Request-Id: 1\r\n';
const CHUNKS = '5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n';

/** What channels may do with the bytes that pass. */
const WAYS: Readonly<Record<string, MemoryChannelOptions>> = {
  whole: {},
  'byte by byte': { pieces: 1 },
  'in buffers that are overwritten after each call': { lends: true },
  'byte by byte in such buffers': { lends: true, pieces: 1 },
};

describe('HTTP over channels', () => {
  for (const [way, channels] of Object.entries(WAYS)) {
    it(`is the same when bytes come ${way}`, async () => {
      const rig = new MemoryRig({ channels });
      const { recorder: caller } = rig.caller();
      caller.send(`${POST}Content-Length: 5\r\n\r\nhello`);
      const { recorder: destination } = await rig.destination(0);
      const first = `${ASKED}Content-Length: 5\r\n\r\nhello`;
      await until('it has come', () => destination.text === first);
      destination.send('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n');
      destination.send(`HTTP/1.1 200 OK\r\nA: 1\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n${CHUNKS}`);
      const answered = `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nA: 1\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKS}`;
      await until('it is answered', () => caller.text === answered);
      caller.send(`${POST}Transfer-Encoding: chunked\r\n\r\n${CHUNKS}`);
      const second = `${ASKED}Transfer-Encoding: chunked\r\n\r\n${CHUNKS}`;
      await until('the second one has come', () => destination.text === first + second);
      destination.send('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend');
      await until(
        'it is answered, too',
        () => caller.text === `${answered}HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend`,
      );
      expect(rig.destinations).to.have.length(1);
      expect(rig.served.map((one) => [one.status, one.requestBytes, one.answerBytes, one.refusal])).to.deep.equal([
        [200, 5, 11, ''],
        [200, 11, 3, ''],
      ]);
    });

    it(`takes chunks off for a caller of HTTP/1.0 when bytes come ${way}`, async () => {
      const rig = new MemoryRig({ channels });
      const { recorder: caller } = rig.caller();
      caller.send('GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n');
      const { recorder: destination } = await rig.destination(0);
      await until('it has come', () => destination.text.includes('\r\n\r\n'));
      destination.send(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${CHUNKS}`);
      await until('it has ended', () => caller.ended);
      expect(caller.text).to.equal('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello world');
    });

    it(`keeps what comes while the destination is dialed, and what is sent ahead, when bytes come ${way}`, async () => {
      const steps = { go: (): void => {} };
      const dialed = new Promise<void>((resolve) => {
        steps.go = resolve;
      });
      const rig = new MemoryRig({ channels, dialing: () => dialed });
      const { recorder: caller } = rig.caller();
      const gets = ['/1', '/2', '/3'].map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\nX-Request-Id: 1\r\n\r\n`);
      caller.send(`${POST}Content-Length: 11\r\n\r\nhello`).send(` world${gets.join('')}`);
      await until('it is dialed', () => rig.signals.length === 1);
      steps.go();
      const { recorder: destination } = await rig.destination(0);
      let seen = `${ASKED}Content-Length: 11\r\n\r\nhello world`;
      for (const get of gets) {
        await until('it has come', () => destination.text === seen);
        destination.send('HTTP/1.1 204 No Content\r\n\r\n');
        seen += get;
      }
      await until('all have come', () => destination.text === seen);
      destination.send('HTTP/1.1 204 No Content\r\n\r\n');
      await until('all are answered', () => rig.served.length === 4);
      await until('all answers have come', () => caller.text.match(/204/g)?.length === 4);
    });

    it(`carries what was switched to when bytes come ${way}`, async () => {
      const rig = new MemoryRig({ channels });
      const { recorder: caller } = rig.caller();
      const head = 'GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: 1\r\n';
      const asks = 'Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n';
      caller.send(`${head}${asks}early`);
      const { recorder: destination } = await rig.destination(0);
      await until('it is asked', () => destination.text.startsWith(`${head}${asks}`));
      const switched = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n';
      destination.send(`${switched}A: \xe9\r\n\r\nfirst words`);
      await until('they have come', () => caller.text === `${switched}A: \xe9\r\n\r\nfirst words`);
      caller.send(' and late').channel.end();
      await until('all has come', () => destination.text === `${head}${asks}early and late` && destination.ended);
      destination.send(' last words').channel.end();
      await until('both are closed', () => caller.closed && destination.closed);
      expect(caller.text).to.match(/first words last words$/);
      expect([caller.closed?.failure, destination.closed?.failure]).to.deep.equal([undefined, undefined]);
      await until('it is told', () => rig.served.length === 1);
      expect(rig.served[0]).to.include({ status: 101, refusal: '', callerLeft: false });
    });
  }

  it('keeps a caller of HTTP/1.0 that asks for it, and tells it so', async () => {
    const rig = new MemoryRig();
    const { recorder: caller } = rig.caller();
    caller.send('GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n');
    (await rig.destination(0)).recorder.send('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx');
    await until('it is answered', () => caller.text.endsWith('x'));
    expect([caller.text, caller.ended]).to.deep.equal([
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\nx',
      false,
    ]);
  });

  it('ends with its connection an answer that has no other end', async () => {
    const rig = new MemoryRig();
    const { recorder: caller } = rig.caller();
    caller.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const { recorder: destination } = await rig.destination(0);
    destination.send('HTTP/1.1 200 OK\r\n\r\nall').channel.end();
    await until('it has ended', () => caller.ended);
    expect(caller.text).to.equal('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall');
    expect(rig.served[0]).to.include({ status: 200, answerBytes: 3, refusal: '' });
  });

  it('breaks off an answer without other end whose connection breaks', async () => {
    const rig = new MemoryRig();
    const { recorder: caller } = rig.caller();
    caller.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const { recorder: destination, channel } = await rig.destination(0);
    destination.send('HTTP/1.1 200 OK\r\n\r\nhal');
    await until('it is on its way', () => caller.text.endsWith('hal'));
    destination.channel.abort(new Refusal('connection_broken'));
    await until('it is broken', () => caller.closed);
    expect([caller.ended, caller.closed?.failure?.code, channel.isClosed]).to.deep.equal([
      false,
      'connection_broken',
      true,
    ]);
    expect(rig.served[0]).to.include({ status: 200, refusal: 'app_reset' });
  });

  it('holds little of a body that the destination does not take, and sends all of it', async () => {
    const rig = new MemoryRig({ channels: { room: 10_000 } });
    const { recorder: caller, inner } = rig.caller();
    caller.send(`${POST}Content-Length: 1000000\r\n\r\n`);
    const { recorder: destination } = await rig.destination(0);
    destination.channel.pause();
    for (let sent = 0; sent < 1000; sent++) caller.send('x'.repeat(1000));
    await until('it stands still', () => inner.isPaused);
    expect(destination.channel.waiting).to.be.lessThan(12_000);
    destination.channel.resume();
    await until('all has come', () => destination.text.length > 1_000_000);
    destination.send('HTTP/1.1 204 No Content\r\n\r\n');
    await until('it is answered', () => rig.served.length === 1);
  });

  it('holds little of an answer that the caller does not take, and of what it asks next meanwhile', async () => {
    const rig = new MemoryRig({ channels: { room: 10_000 } });
    const { recorder: caller, inner } = rig.caller();
    caller.channel.pause();
    const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
    caller.send(get.repeat(100));
    const { recorder: destination, channel } = await rig.destination(0);
    destination.send(`HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n`);
    for (let sent = 0; sent < 1000; sent++) destination.send('x'.repeat(1000));
    await until('it stands still', () => channel.isPaused);
    expect(caller.channel.waiting).to.be.lessThan(12_000);
    caller.channel.resume();
    await until('all has come', () => caller.text.length > 1_000_000);
    caller.channel.pause();
    let asked = 0;
    for (let before = -1; asked < 100 && before !== asked; ) {
      before = asked;
      await until('it is asked again or not', () => {
        const now = destination.text.match(/^GET /gm)?.length ?? 0;
        for (; asked < now - 1; asked++)
          destination.send(`HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n${'y'.repeat(3000)}`);
        return asked > before || (inner.isPaused && caller.channel.waiting > 10_000);
      });
    }
    // Answers that wait stop the next requests from being begun.
    expect(asked).to.be.lessThan(10);
    caller.channel.resume();
    await until('the next one is asked', () => (destination.text.match(/^GET /gm)?.length ?? 0) > asked + 1);
  });
});
