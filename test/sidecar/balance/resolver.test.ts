/** Names are resolved again and again, and a failing DNS takes nothing away. */
import { expect } from 'chai';
import type { Address } from '../../../sidecar/balance/endpoint.ts';
import { Resolver } from '../../../sidecar/balance/resolver.ts';
import { FakeClock } from '../../support/fake-clock.ts';

function resolver(targets: readonly Address[]) {
  const clock = new FakeClock();
  const answers = new Map<string, readonly string[] | Error>();
  const told: string[][] = [];
  const failures: string[] = [];
  const subject = new Resolver(targets, {
    clock,
    everySeconds: 5,
    lookup: async (host) => {
      const answer = answers.get(host) ?? [];
      if (answer instanceof Error) throw answer;
      return answer;
    },
    onAddresses: (addresses) => told.push(addresses.map(({ host, port }) => `${host}:${port}`)),
    onFailure: (host, reason) => failures.push(`${host} ${reason}`),
  });
  return { subject, clock, answers, told, failures };
}

describe('addresses of a destination', () => {
  it('knows plain addresses at once and looks nothing up', async () => {
    const { subject, told, clock } = resolver([
      { host: '10.0.0.1', port: 80 },
      { host: '10.0.0.1', port: 80 },
      { host: '10.0.0.2', port: 81 },
    ]);
    await subject.start();
    expect(told).to.deep.equal([['10.0.0.1:80', '10.0.0.2:81']]);
    expect(clock.pending).to.equal(0);
  });

  it('follows what a name resolves to', async () => {
    const { subject, told, clock, answers } = resolver([{ host: 'orders', port: 80 }]);
    answers.set('orders', ['10.0.0.2', '10.0.0.1']);
    await subject.start();
    answers.set('orders', ['10.0.0.3']);
    await clock.advance(5_000);
    expect(told).to.deep.equal([[], ['10.0.0.1:80', '10.0.0.2:80'], ['10.0.0.3:80']]);
  });

  it('keeps the last addresses when a name fails or has none, and says so', async () => {
    const { subject, told, clock, answers, failures } = resolver([{ host: 'orders', port: 80 }]);
    answers.set('orders', ['10.0.0.1']);
    await subject.start();
    answers.set('orders', Object.assign(new Error('gone'), { code: 'ENOTFOUND' }));
    await clock.advance(5_000);
    answers.set('orders', []);
    await clock.advance(5_000);
    expect(told.slice(1)).to.deep.equal([['10.0.0.1:80'], ['10.0.0.1:80'], ['10.0.0.1:80']]);
    expect(failures).to.deep.equal(['orders ENOTFOUND', 'orders no address']);
  });

  it('looks no more once it is stopped', async () => {
    const { subject, clock, told } = resolver([{ host: 'orders', port: 80 }]);
    await subject.start();
    subject.stop();
    await clock.advance(60_000);
    expect(told).to.have.length(2);
  });
});
