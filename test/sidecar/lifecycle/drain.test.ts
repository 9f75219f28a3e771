import { expect } from 'chai';
import { drain } from '../../../sidecar/lifecycle/drain.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { RecordedLog } from '../../support/recorded-log.ts';

/** Connections that end when the test says so. */
class FakeConnections {
  readonly open: { direction: string }[];
  cut = 0;
  #emptied: (() => void) | undefined;

  constructor(...directions: string[]) {
    this.open = directions.map((direction) => ({ direction }));
  }

  list() {
    return this.open;
  }

  end(direction: string): void {
    this.open.splice(
      this.open.findIndex((one) => one.direction === direction),
      1,
    );
    if (this.open.length === 0) this.#emptied?.();
  }

  drain(): Promise<void> {
    return this.open.length === 0 ? Promise.resolve() : new Promise((resolve) => (this.#emptied = resolve));
  }

  cutAll(): number {
    this.cut = this.open.length;
    return this.cut;
  }
}

describe('draining', () => {
  function draining(connections: FakeConnections, seconds = 30) {
    const clock = new FakeClock();
    const log = new RecordedLog();
    const steps: string[] = [];
    const step = (name: string) => ({ drain: () => void steps.push(name) });
    let outcome: boolean | undefined;
    const done = drain({
      inbound: [step('inbound closed')],
      outbound: [step('outbound closed')],
      connections,
      seconds,
      clock,
      log,
    }).then((clean) => (outcome = clean));
    return { clock, log, steps, done, outcome: () => outcome };
  }

  it('closes the ways in, then the ways out', async () => {
    const { steps, done, clock } = draining(new FakeConnections());
    await clock.advance(0);
    expect(await done).to.equal(true);
    expect(steps).to.deep.equal(['inbound closed', 'outbound closed']);
  });

  it('keeps the ways out open until what came in is done', async () => {
    const connections = new FakeConnections('inbound', 'outbound');
    const { steps, clock, done, outcome } = draining(connections);
    await clock.advance(5_000);
    expect(steps).to.deep.equal(['inbound closed']);
    connections.end('inbound');
    await clock.advance(100);
    expect(steps).to.include('outbound closed');
    expect(outcome()).to.equal(undefined);
    connections.end('outbound');
    expect(await done).to.equal(true);
    expect(connections.cut).to.equal(0);
    expect(clock.pending).to.equal(0);
  });

  it('cuts what is left when the time is over, and says how many', async () => {
    const connections = new FakeConnections('inbound', 'inbound', 'outbound');
    const { clock, log, done, outcome } = draining(connections, 10);
    await clock.advance(9_999);
    expect(outcome()).to.equal(undefined);
    await clock.advance(51);
    expect(await done).to.equal(false);
    expect(connections.cut).to.equal(3);
    expect(log.events('drain_cut')[0]!.fields).to.include({ connections: 3 });
  });

  it('spends its time once, not once per step', async () => {
    const connections = new FakeConnections('inbound', 'outbound');
    const { clock, done } = draining(connections, 10);
    await clock.advance(8_000);
    connections.end('inbound');
    await clock.advance(2_051);
    expect(await done).to.equal(false);
    expect(clock.monotonic()).to.be.at.most(10_051);
  });

  it('is clean with no time at all when nothing is open', async () => {
    const { clock, done } = draining(new FakeConnections(), 0);
    await clock.advance(0);
    expect(await done).to.equal(true);
  });
});
