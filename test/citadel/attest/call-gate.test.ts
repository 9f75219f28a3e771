import { expect } from 'chai';
import { CallGate, GateFull } from '../../../citadel/attest/call-gate.ts';

const never = new AbortController().signal;

/** Calls whose end the test decides; `started` tells their order. */
function callsThrough(gate: CallGate) {
  const started: string[] = [];
  const call = (name: string, signal: AbortSignal = never) => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const run = gate.run(signal, () => {
      started.push(name);
      return promise;
    });
    return { run, end: () => resolve(name), fail: reject };
  };
  return { started, call };
}

describe('a gate for calls', () => {
  it('lets in so many, then one for each that ends or fails, in their order', async () => {
    const gate = new CallGate(1, 10);
    const { started, call } = callsThrough(gate);
    const [a, b, c] = [call('a'), call('b'), call('c')];
    expect([gate.active, gate.waiting]).to.deep.equal([1, 2]);
    a.fail(new Error('failed'));
    expect(await a.run.catch((error: Error) => error.message)).to.equal('failed');
    b.end();
    c.end();
    expect(await Promise.all([b.run, c.run])).to.deep.equal(['b', 'c']);
    expect(started).to.deep.equal(['a', 'b', 'c']);
    expect([gate.active, gate.waiting]).to.deep.equal([0, 0]);
  });

  it('gives the place of one who left the queue to the next', async () => {
    const gate = new CallGate(1, 10);
    const { started, call } = callsThrough(gate);
    const leaver = new AbortController();
    const [a, b, c] = [call('a'), call('b', leaver.signal), call('c')];
    leaver.abort('left');
    expect(await b.run.catch((reason: unknown) => reason)).to.equal('left');
    a.end();
    c.end();
    await Promise.all([a.run, c.run]);
    expect(started).to.deep.equal(['a', 'c']);
  });

  it('turns away whom the queue cannot hold, and whoever has left already', async () => {
    const gate = new CallGate(1, 0);
    const { call } = callsThrough(gate);
    const a = call('a');
    expect(await call('b').run.catch((error: unknown) => error)).to.be.instanceOf(GateFull);
    expect(await call('c', AbortSignal.abort('left')).run.catch((reason: unknown) => reason)).to.equal('left');
    a.end();
    await a.run;
    expect(gate.active).to.equal(0);
  });
});
