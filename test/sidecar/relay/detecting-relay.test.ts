/** On a port with `protocol: auto` each connection gets the relay of what it speaks, and loses no byte on the way. */
import { expect } from 'chai';
import fc from 'fast-check';
import { LONGEST_LOOK } from '../../../sidecar/relay/protocol-detect.ts';
import { DetectRig, PATIENCE_MS } from '../../support/detect-rig.ts';
import type { MemoryChannelOptions } from '../../support/memory-channel.ts';
import { until } from '../../support/until.ts';

const SPOOFED = 'X-Forwarded-Client-Cert: By=evil;URI=spiffe://evil';
const GET = `GET /a HTTP/1.1\r\nHost: orders\r\n${SPOOFED}\r\n\r\n`;
const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const SETTINGS = '\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00d';
const CLIENT_HELLO = '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'.padEnd(60, '\0');

const CHANNELS: readonly (readonly [string, MemoryChannelOptions])[] = [
  ['in one piece', {}],
  ['byte by byte', { pieces: 1 }],
  ['in one piece that is lent', { lends: true }],
  ['byte by byte, lent', { lends: true, pieces: 1 }],
];

describe('a port that detects the protocol', () => {
  for (const [how, channels] of CHANNELS) {
    it(`reads a request that comes ${how} as HTTP, and takes the spoofed identity out`, async () => {
      const rig = new DetectRig({ channels });
      const { recorder } = rig.caller();
      recorder.send(GET);
      const { recorder: app } = await rig.destination(0);
      const text = await until('the request', () => app.text.includes('\r\n\r\n') && app.text);
      expect(text)
        .to.match(/^GET \/a HTTP\/1\.1\r\n/)
        .and.not.to.include('evil');
      app.send(ANSWER);
      await until('the answer', () => recorder.text.endsWith('\r\n\r\nok'));
      expect(rig.counted).to.deep.equal({ requests: 1, connections: 0 });
    });

    const bytes: readonly (readonly [string, string])[] = [
      ['TLS of the app’s own', CLIENT_HELLO],
      ['a command of Redis', '*1\r\n$4\r\nPING\r\n'],
      ['lower case text', 'get / HTTP/1.1\r\n\r\n'],
      ['one letter that no protocol begins with', 'x'],
    ];
    for (const [name, text] of bytes) {
      it(`carries ${name} that comes ${how}, and what follows, unchanged both ways`, async () => {
        const rig = new DetectRig({ channels });
        const { recorder } = rig.caller();
        recorder.send(text);
        const { recorder: app } = await rig.destination(0);
        await until('it came', () => app.text === text);
        recorder.send('more').channel.end();
        await until('all came', () => app.text === `${text}more` && app.ended);
        app.send('answer').channel.end();
        await until('the answer', () => recorder.text === 'answer' && recorder.ended);
        await until('it is counted', () => rig.counted.connections === 1);
        expect([rig.counted.requests, rig.codes]).to.deep.equal([0, []]);
      });
    }

    it(`carries HTTP/2 that comes ${how} unchanged, and reads along`, async () => {
      const rig = new DetectRig({ channels });
      const { recorder } = rig.caller();
      // A frame that no reader takes for HTTP/2: who reads along says so, and carries on.
      const text = `${PREFACE}\x00\x00\x01\x06\x00\x00\x00\x00\x01x`;
      recorder.send(text);
      const { recorder: app } = await rig.destination(0);
      await until('it came', () => app.text === text);
      expect(rig.lost).to.have.length(1);
      recorder.send('rest');
      await until('the rest came', () => app.text === `${text}rest`);
    });
  }

  for (const [how, channels] of CHANNELS) {
    it(`waits for the client of a server that sends its settings of HTTP/2 first, when they come ${how}`, async () => {
      const rig = new DetectRig({ channels });
      const { recorder } = rig.caller();
      await rig.clock.advance(PATIENCE_MS);
      const { recorder: app } = await rig.destination(0);
      app.send(`${SETTINGS}${SETTINGS}`);
      for (let turn = 0; turn < 5; turn++) await rig.clock.advance(1);
      expect(recorder.text).to.equal('');
      recorder.send(`${PREFACE}\x00\x00\x01\x06\x00\x00\x00\x00\x01x`);
      await until('each has the other’s bytes', () => recorder.text === SETTINGS + SETTINGS && app.text.endsWith('x'));
      expect(rig.lost).to.have.length(1);
      // It was the client who spoke: the next one is waited for again.
      rig.caller();
      await rig.clock.advance(PATIENCE_MS - 1);
      expect(rig.reached).to.have.length(1);
    });
  }

  it('lets the destination speak first to a client that is silent, and speaks to the next one at once', async () => {
    const rig = new DetectRig();
    const first = rig.caller();
    await rig.clock.advance(PATIENCE_MS - 1);
    expect(rig.reached).to.have.length(0);
    await rig.clock.advance(1);
    const { recorder: app } = await rig.destination(0);
    app.send('220 ready\r\n');
    await until('the banner', () => first.recorder.text === '220 ready\r\n');
    first.recorder.send('GET / HTTP/1.1\r\n');
    await until('bytes are bytes', () => app.text === 'GET / HTTP/1.1\r\n');

    const second = rig.caller();
    const { recorder: again } = await rig.destination(1);
    again.send('220 ready\r\n');
    await until('the banner', () => second.recorder.text === '220 ready\r\n');
    // Who speaks HTTP on such a port is still read.
    const third = rig.caller();
    third.recorder.send(GET);
    const found = await until('the request', () =>
      rig.reached.find(({ recorder }) => recorder.text.startsWith('GET /a')),
    );
    await until('all of it', () => found.recorder.text.includes('\r\n\r\n'));
    expect(found.recorder.text).to.not.include('evil');
  });

  it('reads a request that comes after a long silence, over the connection that it was dialed for', async () => {
    const rig = new DetectRig();
    const { recorder } = rig.caller();
    await rig.clock.advance(PATIENCE_MS);
    const { recorder: app } = await rig.destination(0);
    await rig.clock.advance(5 * PATIENCE_MS);
    recorder.send(GET);
    const text = await until('the request', () => app.text.includes('\r\n\r\n') && app.text);
    expect(text).to.not.include('evil');
    app.send(ANSWER);
    await until('the answer', () => recorder.text.endsWith('ok'));
    expect([rig.reached.length, rig.counted.requests, rig.counted.connections]).to.deep.equal([1, 1, 0]);
  });

  it('never lets a spoofed identity through, wherever the request is cut and however long each part waits', async () => {
    const pauses = fc.constantFrom(0, PATIENCE_MS - 1, PATIENCE_MS, 3 * PATIENCE_MS);
    const parts = fc.array(fc.tuple(fc.integer({ min: 1, max: LONGEST_LOOK }), pauses), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(pauses, parts, fc.integer({ min: 1, max: 3 }), async (before, cuts, endpoints) => {
        const rig = new DetectRig({ endpoints });
        const { recorder } = rig.caller();
        await rig.clock.advance(before);
        let at = 0;
        for (const [length, pause] of cuts) {
          recorder.send(GET.slice(at, at + length));
          at = Math.min(GET.length, at + length);
          await rig.clock.advance(pause);
        }
        recorder.send(GET.slice(at));
        const found = await until('the request', () =>
          rig.reached.find(({ recorder: { text } }) => text.includes('\r\n\r\n')),
        );
        expect(found.recorder.text).to.match(/^GET \/a HTTP/);
        for (const { recorder: app } of rig.reached) expect(app.text).to.not.include('evil');
      }),
      { numRuns: 60 },
    );
  });

  it('does not take the goodbye of an HTTP server for a protocol in which servers speak first', async () => {
    const rig = new DetectRig();
    const { recorder } = rig.caller();
    await rig.clock.advance(PATIENCE_MS);
    const { recorder: app } = await rig.destination(0);
    app.send('HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n').channel.end();
    await until('the client is told', () => recorder.ended);
    recorder.send(GET);
    await rig.clock.advance(0);
    expect([recorder.text, app.text]).to.deep.equal(['', '']);
    recorder.channel.end();
    await until('it is over', () => rig.refused.length === 1);
    expect(rig.codes).to.deep.equal(['protocol_unknown']);
    rig.caller();
    await rig.clock.advance(PATIENCE_MS - 1);
    expect(rig.reached).to.have.length(1);
  });

  it('sends requests of a client that was silent to any endpoint, and keeps no connection to another one', async () => {
    const rig = new DetectRig({ endpoints: 3 });
    const { recorder } = rig.caller();
    await rig.clock.advance(PATIENCE_MS);
    const looked = await rig.destination(0);
    recorder.send(GET);
    const asked = await rig.destination(1);
    await until('the request', () => asked.recorder.text.includes('\r\n\r\n'));
    await until('the other one is given up', () => looked.recorder.closed);
    expect(looked.recorder.text).to.equal('');
  });

  it('uses the connection that a tunnel came with, whoever speaks first', async () => {
    const rig = new DetectRig();
    const first = rig.caller(true);
    first.app!.send('220 ready\r\n');
    await until('the banner, at once', () => first.recorder.text === '220 ready\r\n');
    const second = rig.caller(true);
    second.recorder.send(GET);
    await until('the request', () => second.app!.text.includes('\r\n\r\n'));
    const third = rig.caller(true);
    third.recorder.send('*1\r\n');
    await until('the bytes', () => third.app!.text === '*1\r\n');
    expect([rig.reached.length, second.app!.text.includes('evil')]).to.deep.equal([0, false]);
  });

  it('holds a client back that sends much before the destination is reached, and loses nothing of it', async () => {
    let reach = (): void => {};
    const rig = new DetectRig({
      channels: { pieces: 1024, lends: true },
      dialing: () => new Promise((resolve) => (reach = resolve)),
    });
    const { recorder, inner } = rig.caller();
    const much = 'x'.repeat(1 << 20);
    recorder.send(much);
    for (let turn = 0; turn < 10; turn++) await rig.clock.advance(10);
    expect(inner.bytesRead).to.be.at.most(1024);
    reach();
    const { recorder: app } = await rig.destination(0);
    await until('all of it', () => app.text.length === much.length);
    expect(app.text === much).to.equal(true);
  });
});
