import { expect } from 'chai';
import { Refusal } from '../../../shared/errors/refusal.ts';
import type { Recorder } from '../../support/memory-channel.ts';
import { MemoryRig } from '../../support/memory-rig.ts';
import { until } from '../../support/until.ts';

const POST = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n';
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const BROKEN = new Refusal('connection_broken');

interface Scene {
  readonly rig: MemoryRig;
  readonly caller: Recorder;
  readonly destination: Recorder;
}

interface State {
  /** Leads there. */
  readonly play: (scene: Scene) => Promise<unknown> | unknown;
  readonly sent: string;
  /** What the caller gets when the destination breaks off: a status, or nothing but a broken connection. */
  readonly whenDestinationBreaks: RegExp | 'broken' | 'untouched';
}

const STATES: Readonly<Record<string, State>> = {
  'before anything of the answer': { sent: GET, play: () => {}, whenDestinationBreaks: /^HTTP\/1\.1 502 / },
  'in the middle of the request': { sent: `${POST}12345`, play: () => {}, whenDestinationBreaks: /^HTTP\/1\.1 502 / },
  'in the middle of the head of the answer': {
    sent: GET,
    play: ({ destination, rig }) => {
      destination.send('HTTP/1.1 200 O');
      return until('it has come', () => rig.destinations[0]!.channel.bytesRead > 0);
    },
    whenDestinationBreaks: /^HTTP\/1\.1 502 [\s\S]*app_malformed/,
  },
  'after an interim answer': {
    sent: GET,
    play: async ({ destination, caller }) => {
      destination.send('HTTP/1.1 103 Early Hints\r\n\r\n');
      await until('it has come', () => caller.text.includes('103'));
    },
    whenDestinationBreaks: /^HTTP\/1\.1 103 Early Hints\r\n\r\nHTTP\/1\.1 502 /,
  },
  'in the middle of the answer': {
    sent: GET,
    play: async ({ destination, caller }) => {
      destination.send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha');
      await until('it has come', () => caller.text.endsWith('ha'));
    },
    whenDestinationBreaks: 'broken',
  },
  'in the middle of both bodies': {
    sent: `${POST}12345`,
    play: async ({ destination, caller }) => {
      destination.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nha');
      await until('it has come', () => caller.text.endsWith('ha'));
    },
    whenDestinationBreaks: 'broken',
  },
  'after an answer that came before the request had': {
    sent: `${POST}12345`,
    play: async ({ destination, caller }) => {
      destination.send('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n');
      await until('it has come', () => caller.text.includes('413'));
    },
    whenDestinationBreaks: 'untouched',
  },
};

async function playTo({ sent, play }: State): Promise<Scene & { connectionCount: () => number }> {
  const rig = new MemoryRig();
  const { recorder: caller } = rig.caller();
  caller.send(sent);
  const { recorder: destination } = await rig.destination(0);
  await until('it is asked', () => destination.text.endsWith(sent.slice(sent.indexOf('\r\n\r\n'))));
  const scene = { rig, caller, destination };
  await play(scene);
  return { ...scene, connectionCount: () => rig.destinations.length };
}

describe('an exchange that is broken off', () => {
  for (const [when, state] of Object.entries(STATES)) {
    it(`by the caller ${when} gives up the destination, and is told once`, async () => {
      for (const leave of ['ends', 'breaks'] as const) {
        const { rig, caller, destination } = await playTo(state);
        if (leave === 'ends') caller.channel.end();
        else caller.channel.abort(BROKEN);
        await until('the destination is given up', () => destination.closed);
        expect(destination.closed?.failure?.code).to.equal('connection_broken');
        await until('it is told', () => rig.served.length === 1);
        expect([rig.served.length, rig.refused.length]).to.deep.equal([1, 0]);
        expect(rig.served[0]!.callerLeft).to.equal(state.whenDestinationBreaks !== 'untouched');
        if (leave === 'ends') await until('the caller sees an end', () => caller.ended);
      }
    });

    it(`by the destination ${when} is never mistaken for a whole answer, and is told once`, async () => {
      for (const leave of ['ends', 'breaks'] as const) {
        const { rig, caller, destination } = await playTo(state);
        if (leave === 'ends') destination.channel.end();
        else destination.channel.abort(BROKEN);
        const { whenDestinationBreaks: expected } = state;
        if (expected === 'untouched') {
          caller.send(`67890${GET}`);
          await rig.destination(1);
          expect(rig.refused).to.deep.equal([]);
          continue;
        }
        if (expected === 'broken') {
          await until('the caller is broken off', () => caller.closed);
          expect([caller.ended, caller.closed?.failure?.code]).to.deep.equal([false, 'connection_broken']);
        } else await until('the caller is told', () => expected.test(caller.text));
        await until('it is told', () => rig.served.length === 1);
        expect([rig.refused.length, rig.served.length]).to.deep.equal([1, 1]);
        expect(rig.served[0]!.callerLeft).to.equal(false);
      }
    });

    it(`by a limit of its identity ${when} ends both sides`, async () => {
      const rig = new MemoryRig();
      const { recorder: caller, connection } = rig.caller();
      caller.send(state.sent);
      const { recorder: destination } = await rig.destination(0);
      await until('it is asked', () => destination.text.includes('\r\n\r\n'));
      await state.play({ rig, caller, destination });
      connection.carrier!.cut(new Refusal('connection_expired'));
      await until('the caller sees it', () => caller.closed || caller.ended);
      await until('the destination is given up', () => destination.closed || destination.ended);
      expect(rig.served).to.have.length(1);
    });
  }

  it('within the head of an answer leaves nothing of it to the next one', async () => {
    const rig = new MemoryRig();
    const { recorder: caller } = rig.caller();
    caller.send(GET);
    const first = await rig.destination(0);
    first.recorder.send('HTTP/1.1 200 OK\r\nA: b\r\n');
    await until('it has come', () => first.channel.bytesRead > 0);
    first.recorder.channel.abort(BROKEN);
    await until('it is told', () => caller.text.includes('502'));
    caller.send(GET);
    const second = await rig.destination(1);
    second.recorder.send('HTTP/1.1 204 No Content\r\n\r\n');
    await until('it is answered', () => caller.text.endsWith('HTTP/1.1 204 No Content\r\n\r\n'));
  });

  it('by a caller that leaves while the destination is dialed gives up dialing', async () => {
    const never = new Promise<void>(() => {});
    const rig = new MemoryRig({ dialing: () => never });
    const { recorder: caller } = rig.caller();
    caller.send(`${POST}12345`);
    await until('it is dialed', () => rig.signals.length === 1);
    caller.channel.abort(BROKEN);
    await until('dialing is given up', () => rig.signals[0]?.aborted);
    await until('it is told', () => rig.served.length === 1);
    expect(rig.served[0]).to.include({ status: 0, callerLeft: true, refusal: '' });
  });

  it('keeps a connection that was dialed for a caller who has left for the next one', async () => {
    const steps = { go: (): void => {} };
    const dialed = new Promise<void>((resolve) => {
      steps.go = resolve;
    });
    const rig = new MemoryRig({ dialing: () => dialed });
    const { recorder: gone } = rig.caller();
    gone.send(GET);
    await until('it is dialed', () => rig.signals.length === 1);
    gone.channel.abort(BROKEN);
    await until('it is told', () => rig.served.length === 1);
    steps.go();
    const { recorder: destination } = await rig.destination(0);
    const { recorder: caller } = rig.caller();
    caller.send(GET);
    await until('it is asked', () => destination.text.startsWith('GET '));
    expect(rig.destinations).to.have.length(1);
  });

  it('by a caller that leaves while the destination of its upgrade is dialed, or asked, leaves nothing open', async () => {
    const steps = { go: (): void => {} };
    const dialed = new Promise<void>((resolve) => {
      steps.go = resolve;
    });
    const rig = new MemoryRig({ dialing: () => dialed });
    const upgrade = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
    const early = rig.caller().recorder.send(upgrade);
    const late = rig.caller().recorder.send(upgrade);
    await until('both are dialed', () => rig.signals.length === 2);
    early.channel.abort(BROKEN);
    await until('dialing is given up', () => rig.signals[0]?.aborted);
    steps.go();
    const asked = await until('the other one is asked', () =>
      rig.destinations.find(({ recorder }) => recorder.text.startsWith('GET')),
    );
    late.channel.abort(BROKEN);
    await until('all is closed', () => rig.destinations.every(({ recorder }) => recorder.closed?.failure));
    await until('both are told', () => rig.served.length === 2);
    expect([asked.recorder.ended, rig.served.every(({ callerLeft }) => callerLeft)]).to.deep.equal([false, true]);
  });

  it('by the end of the relay leaves nothing open', async () => {
    const rig = new MemoryRig();
    const callers = [rig.caller(), rig.caller()];
    for (const { recorder } of callers) recorder.send(GET);
    const destinations = [await rig.destination(0), await rig.destination(1)];
    for (const { recorder } of destinations) recorder.send('HTTP/1.1 204 No Content\r\n\r\n');
    await until('both are answered', () => rig.served.length === 2);
    callers[0]!.recorder.send(GET);
    const isBusy = ({ recorder }: { recorder: Recorder }): boolean => /GET[\s\S]*GET/.test(recorder.text);
    const busy = await until('one is used again', () => destinations.find(isBusy));
    rig.relay.close();
    await until('all is broken', () => [...callers, busy].every(({ recorder }) => recorder.closed?.failure));
    // Nobody used the other one: it is ended in order.
    await until('the free one has ended', () => destinations.every((one) => one === busy || one.recorder.ended));
    expect(rig.served).to.have.length(3);
  });
});
