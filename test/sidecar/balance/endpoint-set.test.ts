/** A destination's load goes where there is least, away from what fails, and never beyond its limit. */
import { expect } from 'chai';
import { Refusal } from '../../../shared/errors/refusal.ts';
import { EndpointSet } from '../../../sidecar/balance/endpoint-set.ts';
import { leastOfTwo } from '../../../sidecar/balance/least-request.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const RULES = { failures: 2, ejectionMs: 10_000, longestMs: 60_000, mostShare: 0.5 };
const at = (...hosts: string[]) => hosts.map((host) => ({ host, port: 80 }));

function set(mostActive = 100, draws: readonly number[] = [0]) {
  const clock = new FakeClock();
  const events: string[] = [];
  let turn = 0;
  const randomness = { draw: () => draws[turn++ % draws.length]!, bytes: (count: number) => Buffer.alloc(count) };
  const endpoints = new EndpointSet<string>({
    clock,
    randomness,
    outlier: RULES,
    mostActive,
    wayTo: ({ host }) => host,
    left: (way) => events.push(`left ${way}`),
    ejected: ({ host }) => events.push(`ejected ${host}`),
  });
  return { endpoints, clock, events };
}

describe('the endpoints of a destination', () => {
  it('gives the next request to the one of two that has less in progress', () => {
    const { endpoints } = set(100, [0, 0]);
    endpoints.update(at('a', 'b'));
    const taken = Array.from({ length: 10 }, () => endpoints.begin().way);
    expect(taken.filter((way) => way === 'a')).to.have.length(5);
  });

  it('compares two different ones, whatever is drawn', () => {
    const busy = { active: 9 };
    const idle = { active: 0 };
    for (const draws of [
      [0, 0],
      [0, 0.99],
      [0.99, 0],
      [0.99, 0.99],
      [0.5, 0.5],
    ]) {
      let turn = 0;
      const randomness = { draw: () => draws[turn++]!, bytes: (count: number) => Buffer.alloc(count) };
      expect(leastOfTwo([busy, idle], randomness)).to.equal(idle);
    }
  });

  it('sends nothing to one that keeps failing, until its time is over', async () => {
    const { endpoints, clock, events } = set(100, [0, 0.5]);
    endpoints.update(at('a', 'b'));
    for (let failures = 0; failures < 2; ) {
      const endpoint = endpoints.begin();
      if (endpoint.way === 'a') failures++;
      endpoints.ended(endpoint, endpoint.way !== 'a');
    }
    expect(events).to.deep.equal(['ejected a']);
    const next = Array.from({ length: 8 }, () => endpoints.begin());
    expect(next.map(({ way }) => way)).to.not.include('a');
    for (const endpoint of next) endpoints.ended(endpoint, true);
    await clock.advance(10_001);
    expect(Array.from({ length: 8 }, () => endpoints.begin().way)).to.include('a');
  });

  it('tries another one after a failure, when there is one', () => {
    const { endpoints } = set();
    endpoints.update(at('a', 'b'));
    const first = endpoints.begin();
    expect(endpoints.begin([first]).way).to.not.equal(first.way);
    const { endpoints: alone } = set();
    alone.update(at('a'));
    const only = alone.begin();
    expect(alone.begin([only])).to.equal(only);
  });

  it('tries every other one before any of those that have failed', () => {
    for (const draws of [[0], [0.3, 0.9], [0.99, 0], [0.5, 0.2, 0.8]]) {
      const { endpoints } = set(100, draws);
      endpoints.update(at('a', 'b', 'c'));
      const tried = [endpoints.begin()];
      tried.push(endpoints.begin(tried));
      tried.push(endpoints.begin(tried));
      expect(new Set(tried.map(({ way }) => way)).size).to.equal(3);
    }
  });

  it('lets what is in progress at a leaving endpoint end, and sends nothing new there', () => {
    const { endpoints, events } = set();
    endpoints.update(at('a'));
    const endpoint = endpoints.begin();
    endpoints.update(at('b'));
    expect(events).to.deep.equal([]);
    expect(endpoints.begin().way).to.equal('b');
    endpoints.ended(endpoint, true);
    expect(events).to.deep.equal(['left a']);
  });

  it('lets an idle endpoint go at once, and keeps one that stays', () => {
    const { endpoints, events } = set();
    endpoints.update(at('a', 'b'));
    const before = endpoints.ways;
    endpoints.update(at('b', 'c'));
    expect(events).to.deep.equal(['left a']);
    expect(endpoints.ways).to.deep.equal([before[1], 'c']);
  });

  it('refuses beyond the circuit limit, and takes more as soon as something has ended', () => {
    const { endpoints } = set(2);
    endpoints.update(at('a'));
    const [first] = [endpoints.begin(), endpoints.begin()];
    expect(() => endpoints.begin())
      .to.throw(Refusal)
      .with.property('code', 'upstream_overloaded');
    endpoints.ended(first, true);
    expect(endpoints.begin().way).to.equal('a');
  });

  it('says that no address is known', () => {
    expect(() => set().endpoints.begin())
      .to.throw(Refusal)
      .with.property('code', 'upstream_unreachable');
  });
});
