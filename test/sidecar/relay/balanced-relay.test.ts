/**
 * A destination with several endpoints: what reached nobody moves on, what may have reached an app does not, and an
 * endpoint that keeps failing is left alone for a while. Seen through the relays that listeners use.
 */
import { expect } from 'chai';
import { Refusal } from '../../../shared/errors/refusal.ts';
import type { Address } from '../../../sidecar/balance/endpoint.ts';
import { type Caller, DetectRig, type DetectRigOptions } from '../../support/detect-rig.ts';
import { until } from '../../support/until.ts';

const GET = 'GET / HTTP/1.1\r\nHost: orders\r\n\r\n';
const POST = 'POST / HTTP/1.1\r\nHost: orders\r\nContent-Length: 5\r\n\r\nhello';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';

/** Dials are kept, and those that lead to the named endpoints fail. */
function rigOf(options: DetectRigOptions, failing: (host: string) => Refusal | undefined) {
  const dialed: string[] = [];
  const dialing = ({ host }: Address): void => {
    dialed.push(host);
    const why = failing(host);
    if (why) throw why;
  };
  return { rig: new DetectRig({ ...options, dialing }), dialed };
}

const without =
  (...hosts: string[]) =>
  (host: string): Refusal | undefined =>
    hosts.includes(host) ? new Refusal('upstream_timeout') : undefined;

/** One request, answered by whoever gets it. @returns what the caller saw */
async function asks(rig: DetectRig, request = GET, answer = OK): Promise<string> {
  const before = rig.reached.length;
  const { recorder } = rig.caller();
  recorder.send(request);
  await until('it is asked, or answered', () => rig.reached[before]?.recorder.text || recorder.text || undefined);
  rig.reached[before]?.recorder.send(answer);
  const seen = await until('the answer', () => recorder.text || undefined);
  rig.reached[before]?.recorder.channel.abort(new Refusal('connection_broken'));
  await rig.clock.advance(0);
  return seen.slice(0, 12);
}

describe('a request to one of several endpoints', () => {
  for (const [name, request] of [
    ['GET', GET],
    ['POST', POST],
  ] as const) {
    it(`moves on from those that do not accept in time, and arrives whole: ${name}`, async () => {
      for (let turn = 0; turn < 8; turn++) {
        const { rig, dialed } = rigOf({ protocol: 'http', endpoints: 3 }, without('10.0.0.1', '10.0.0.2'));
        expect(await asks(rig, request)).to.equal('HTTP/1.1 200');
        expect(rig.reached[0]!.recorder.text.split('\r\n\r\n')[1]).to.equal(request.split('\r\n\r\n')[1]);
        expect([new Set(dialed).size, rig.codes]).to.deep.equal([dialed.length, []]);
      }
    });
  }

  it('is refused with the last code after three tries, not after all', async () => {
    const { rig, dialed } = rigOf({ protocol: 'http', endpoints: 5 }, () => new Refusal('upstream_timeout'));
    expect(await asks(rig)).to.equal('HTTP/1.1 504');
    expect([dialed.length, new Set(dialed).size, rig.codes]).to.deep.equal([3, 3, ['upstream_timeout']]);
  });

  for (const [whose, code, status] of [
    ['the fault is our own', 'identity_missing', 503],
    ['it is the policy over there', 'tunnel_forbidden', 403],
  ] as const) {
    it(`is tried once when ${whose}, and no endpoint is blamed for it`, async () => {
      const { rig, dialed } = rigOf({ protocol: 'http', endpoints: 3 }, () => new Refusal(code));
      for (let turn = 0; turn < 10; turn++) expect(await asks(rig)).to.equal(`HTTP/1.1 ${status}`);
      expect([dialed.length, rig.ejected]).to.deep.equal([10, []]);
    });
  }

  for (const request of [GET, POST]) {
    it(`is sent to nobody else once it was sent: ${request.slice(0, 4)}`, async () => {
      const rig = new DetectRig({ protocol: 'http', endpoints: 3 });
      const { recorder } = rig.caller();
      recorder.send(request);
      const first = await rig.destination(0);
      await until('it arrived', () => first.recorder.text.includes('\r\n\r\n'));
      first.recorder.channel.abort(new Refusal('connection_broken'));
      expect(await until('the refusal', () => recorder.text || undefined)).to.match(/^HTTP\/1\.1 502 /);
      await rig.clock.advance(0);
      expect(rig.reached).to.have.length(1);
    });
  }
});

describe('an endpoint that keeps failing', () => {
  const failures: readonly (readonly [
    string,
    (rig: DetectRig) => Promise<unknown>,
    (host: string) => Refusal | undefined,
  ])[] = [
    ['does not accept', (rig) => asks(rig), without('10.0.0.1')],
    [
      'answers 503',
      (rig) => {
        const host = (): string | undefined => rig.reached.at(-1)?.address.host;
        return answering(rig, () => (host() === '10.0.0.1' ? 'HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n' : OK));
      },
      () => undefined,
    ],
  ];
  for (const [how, ask, failing] of failures) {
    it(`is left alone for a while, and comes back: ${how}`, async () => {
      const { rig, dialed } = rigOf({ protocol: 'http', endpoints: 3 }, failing);
      for (let turn = 0; turn < 200 && rig.ejected.length === 0; turn++) await ask(rig);
      expect(rig.ejected).to.deep.equal(['10.0.0.1']);
      dialed.length = 0;
      for (let turn = 0; turn < 20; turn++) await ask(rig);
      expect(dialed).to.have.length(20).and.not.include('10.0.0.1');
      await rig.clock.advance(1001);
      for (let turn = 0; turn < 200 && !dialed.includes('10.0.0.1'); turn++) await ask(rig);
      expect(dialed).to.include('10.0.0.1');
    });
  }

  it('is not one whose app says that it failed', async () => {
    const rig = new DetectRig({ protocol: 'http', endpoints: 3 });
    for (let turn = 0; turn < 15; turn++) await asks(rig, GET, 'HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n');
    expect(rig.ejected).to.deep.equal([]);
  });

  it('is never left alone with more than the share that may be', async () => {
    const { rig, dialed } = rigOf({ protocol: 'http', endpoints: 3 }, () => new Refusal('upstream_unreachable'));
    for (let turn = 0; turn < 20; turn++) await asks(rig);
    expect(rig.ejected).to.have.length(1);
    expect(new Set(dialed.slice(-20)).size).to.be.at.least(2);
  });
});

describe('a connection of bytes to one of several endpoints', () => {
  it('moves on from those that cannot be reached', async () => {
    for (let turn = 0; turn < 8; turn++) {
      const { rig, dialed } = rigOf({ protocol: 'tcp', endpoints: 3 }, without('10.0.0.1', '10.0.0.3'));
      const { recorder } = rig.caller();
      recorder.send('hello');
      const { recorder: app } = await rig.destination(0);
      await until('it came', () => app.text === 'hello');
      expect(new Set(dialed).size).to.equal(dialed.length);
    }
  });

  it('goes where there is least in progress', async () => {
    const rig = new DetectRig({ protocol: 'tcp', endpoints: 3 });
    for (let turn = 0; turn < 30; turn++) rig.caller();
    await until('all are there', () => rig.reached.length === 30);
    const counts = [1, 2, 3].map((at) => rig.reached.filter(({ address }) => address.host === `10.0.0.${at}`).length);
    for (const count of counts) expect(count).to.be.within(7, 13);
  });

  it('is not tried again when its client has left', async () => {
    let fail = (_why: Refusal): void => {};
    const rig = new DetectRig({
      protocol: 'tcp',
      endpoints: 3,
      dialing: () => new Promise((_resolve, reject) => (fail = reject)),
    });
    const { recorder } = rig.caller();
    await rig.clock.advance(0);
    recorder.channel.abort(new Refusal('connection_broken'));
    await rig.clock.advance(0);
    fail(new Refusal('upstream_timeout'));
    await rig.clock.advance(0);
    expect([rig.reached.length, rig.ejected, rig.codes]).to.deep.equal([0, [], []]);
  });
});

describe('a destination at its circuit limit', () => {
  async function full(protocol: 'http' | 'tcp'): Promise<{ rig: DetectRig; busy: Caller[] }> {
    const rig = new DetectRig({ protocol, endpoints: 3, mostActive: 2 });
    const busy = [rig.caller(), rig.caller()];
    for (const { recorder } of busy) recorder.send(GET);
    await until('both are in progress', () => rig.reached.length === 2);
    return { rig, busy };
  }

  it('answers another request at once, and takes it when one is done', async () => {
    const { rig } = await full('http');
    const { recorder } = rig.caller();
    recorder.send(GET);
    expect(await until('the refusal', () => recorder.text || undefined)).to.match(
      /^HTTP\/1\.1 503 .*upstream_overloaded/s,
    );
    expect([rig.reached.length, rig.codes]).to.deep.equal([2, ['upstream_overloaded']]);
    rig.reached[0]!.recorder.send(OK);
    await rig.clock.advance(0);
    const again = rig.caller();
    again.recorder.send(GET);
    await until(
      'it is asked',
      () => rig.reached[2]?.recorder.text || rig.reached[0]!.recorder.text.split('GET').length === 3,
    );
    expect(again.recorder.text).to.equal('');
  });

  it('breaks another connection of bytes, and takes one when one has ended', async () => {
    const { rig, busy } = await full('tcp');
    const { recorder } = rig.caller();
    await until('it is closed', () => recorder.closed);
    expect(rig.codes).to.deep.equal(['upstream_overloaded']);
    busy[0]!.recorder.channel.abort(new Refusal('connection_broken'));
    await rig.clock.advance(0);
    rig.caller();
    await rig.destination(2);
  });
});

/** One request, with the answer that is decided when it is known who was asked. */
async function answering(rig: DetectRig, answer: () => string): Promise<void> {
  const before = rig.reached.length;
  const { recorder } = rig.caller();
  recorder.send(GET);
  const reached = await rig.destination(before);
  await until('it is asked', () => reached.recorder.text || undefined);
  reached.recorder.send(answer());
  await until('the answer', () => recorder.text || undefined);
  reached.recorder.channel.abort(new Refusal('connection_broken'));
  await rig.clock.advance(0);
}
