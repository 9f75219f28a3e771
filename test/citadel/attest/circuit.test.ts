import { expect } from 'chai';
import { Circuit } from '../../../citadel/attest/circuit.ts';
import { FakeClock } from '../../support/fake-clock.ts';

function openCircuit() {
  const clock = new FakeClock();
  const circuit = new Circuit(clock, { draw: () => 1, bytes: Buffer.alloc });
  const failTimes = (count: number) => {
    for (let at = 0; at < count; at++) if (circuit.tryEnter()) circuit.failed();
  };
  return { clock, circuit, failTimes };
}

describe('a circuit', () => {
  it('lets everybody through until five failures in a row', () => {
    const { circuit, failTimes } = openCircuit();
    failTimes(4);
    expect(circuit.tryEnter()).to.equal(true);
    circuit.succeeded();
    failTimes(4);
    expect(circuit.open).to.equal(false);
    failTimes(1);
    expect([circuit.open, circuit.tryEnter(), circuit.waitMs()]).to.deep.equal([true, false, 500]);
  });

  it('lets one try through after the pause, and pauses longer when it fails', async () => {
    const { clock, circuit, failTimes } = openCircuit();
    failTimes(5);
    const pauses: number[] = [];
    for (let round = 0; round < 8; round++) {
      pauses.push(circuit.waitMs());
      await clock.advance(circuit.waitMs());
      expect([circuit.tryEnter(), circuit.tryEnter()]).to.deep.equal([true, false]);
      circuit.failed();
    }
    expect(pauses).to.deep.equal([500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000]);
  });

  it('closes with the first success', async () => {
    const { clock, circuit, failTimes } = openCircuit();
    failTimes(5);
    await clock.advance(500);
    circuit.tryEnter();
    circuit.succeeded();
    expect([circuit.tryEnter(), circuit.tryEnter(), circuit.open]).to.deep.equal([true, true, false]);
  });

  it('is held as long as asked, but no longer than a minute', async () => {
    const { clock, circuit } = openCircuit();
    circuit.holdFor(86_400_000);
    circuit.holdFor(1);
    expect(circuit.waitMs()).to.equal(60_000);
    await clock.advance(60_000);
    expect(circuit.tryEnter()).to.equal(true);
  });
});
