/** A destination follows its names: who is new gets connections, who has left keeps what it has until that is over. */
import { expect } from 'chai';
import { systemRandomness } from '../../../shared/clock/clock.ts';
import { createDestination, type DestinationSettings, type WaysOut } from '../../../sidecar/listeners/destinations.ts';
import type { ListenerParts } from '../../../sidecar/listeners/listener-parts.ts';
import { balancedUpstream } from '../../../sidecar/relay/balanced-upstream.ts';
import type { UpstreamConnection } from '../../../sidecar/relay/upstream.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { BALANCE, ORDERS } from '../../support/gates.ts';
import { MemoryChannel } from '../../support/memory-channel.ts';
import { RecordedLog } from '../../support/recorded-log.ts';
import { refusalOf } from '../../support/refusals.ts';
import { LIMITS, PlayedConnection } from '../../support/relay-rig.ts';

const RESOLVE_MS = BALANCE.resolveSeconds * 1000;

/** A destination over tunnels whose names and peers the test plays. */
function played(change: Partial<DestinationSettings> = {}) {
  const clock = new FakeClock();
  const log = new RecordedLog();
  const names = new Map<string, readonly string[] | Error>();
  const opened: string[] = [];
  const pools = { acquired: [] as string[], released: [] as string[] };
  const ways = {
    balance: BALANCE,
    dialer: { dial: () => Promise.reject(new Error('not used')) },
    tunnels: {
      acquire: ({ host, port }: { host: string; port: number }) => {
        pools.acquired.push(`${host}:${port}`);
        return {
          open: (authority: string) => {
            opened.push(`${authority} at ${host}`);
            const [stream] = MemoryChannel.pair();
            return Promise.resolve({ stream, session: { entered: () => new PlayedConnection() } });
          },
        };
      },
      release: ({ host, port }: { host: string; port: number }) => void pools.released.push(`${host}:${port}`),
    },
    lookup: async (host: string) => {
      const found = names.get(host) ?? Object.assign(new Error(host), { code: 'ENOTFOUND' });
      if (found instanceof Error) throw found;
      return found;
    },
  } as unknown as WaysOut;
  const parts = {
    clock,
    randomness: systemRandomness,
    log,
    limits: LIMITS,
    endpointEjected() {},
  } as unknown as ListenerParts;
  const { destination, host } = createDestination(
    {
      name: 'orders',
      protocol: 'tcp',
      to: 'orders.shop:80',
      transport: 'tunnel',
      tunnelPort: 15_008,
      peers: [ORDERS],
      ...change,
    },
    parts,
    ways,
  );
  return { clock, log, names, opened, pools, destination, host, upstream: balancedUpstream(destination) };
}

type Played = ReturnType<typeof played>;

async function dials({ upstream }: Played, count: number): Promise<UpstreamConnection[]> {
  return Promise.all(Array.from({ length: count }, () => upstream.dial()));
}

describe('the destination of a way out', () => {
  it('uses all addresses of its names, and names the app by the name', async () => {
    const one = played();
    one.names.set('orders.shop', ['10.0.0.1', '10.0.0.2', 'fd00::3']);
    await one.destination.start();
    await dials(one, 9);
    expect(new Set(one.opened)).to.deep.equal(
      new Set(['10.0.0.1', '10.0.0.2', 'fd00::3'].map((host) => `orders.shop:80 at ${host}`)),
    );
    expect(one.pools.acquired.toSorted()).to.deep.equal(['10.0.0.1:15008', '10.0.0.2:15008', 'fd00::3:15008']);
  });

  it('takes a list of addresses and names, each with its own port', async () => {
    const one = played({ to: ['10.0.0.9:81', '[fd00::9]:82', 'orders.shop:80'] });
    one.names.set('orders.shop', ['10.0.0.1']);
    await one.destination.start();
    await dials(one, 9);
    expect([...new Set(one.opened)].toSorted()).to.deep.equal([
      '10.0.0.9:81 at 10.0.0.9',
      '[fd00::9]:82 at fd00::9',
      'orders.shop:80 at 10.0.0.1',
    ]);
  });

  it('lets one that has left DNS finish what it has, sends nothing new there, and then lets it go', async () => {
    const one = played();
    one.names.set('orders.shop', ['10.0.0.1', '10.0.0.2']);
    await one.destination.start();
    const before = await dials(one, 8);
    const there = before.filter((_, at) => one.opened[at]!.endsWith('10.0.0.1'));
    expect(there.length).to.be.above(1);

    one.names.set('orders.shop', ['10.0.0.2']);
    await one.clock.advance(RESOLVE_MS);
    one.opened.length = 0;
    await dials(one, 8);
    expect(new Set(one.opened)).to.deep.equal(new Set(['orders.shop:80 at 10.0.0.2']));
    for (const { channel } of there) expect(channel.isClosed).to.equal(false);

    for (const { release } of there.slice(1)) release!();
    expect(one.pools.released).to.deep.equal([]);
    there[0]!.release!();
    there[0]!.release!();
    expect(one.pools.released).to.deep.equal(['10.0.0.1:15008']);
  });

  it('lets one go at once that has nothing in progress, and takes it anew when it comes back', async () => {
    const one = played();
    one.names.set('orders.shop', ['10.0.0.1', '10.0.0.2']);
    await one.destination.start();
    one.names.set('orders.shop', ['10.0.0.2']);
    await one.clock.advance(RESOLVE_MS);
    expect(one.pools.released).to.deep.equal(['10.0.0.1:15008']);
    one.names.set('orders.shop', ['10.0.0.1', '10.0.0.2']);
    await one.clock.advance(RESOLVE_MS);
    await dials(one, 8);
    expect(one.opened.some((text) => text.endsWith('10.0.0.1'))).to.equal(true);
    expect(one.pools.acquired).to.have.length(3);
  });

  it('keeps the last addresses while its name cannot be resolved, and says so', async () => {
    const one = played();
    one.names.set('orders.shop', ['10.0.0.1']);
    await one.destination.start();
    for (const answer of [Object.assign(new Error(), { code: 'EAI_AGAIN' }), []]) {
      one.names.set('orders.shop', answer);
      await one.clock.advance(RESOLVE_MS);
      await dials(one, 1);
    }
    expect(one.opened).to.deep.equal(['orders.shop:80 at 10.0.0.1', 'orders.shop:80 at 10.0.0.1']);
    expect(one.pools.released).to.deep.equal([]);
    expect(one.log.events('name_unresolved')[0]!.fields).to.include({ host: 'orders.shop', reason: 'EAI_AGAIN' });
  });

  it('refuses while no address is known, and goes on as soon as there is one', async () => {
    const one = played();
    await one.destination.start();
    expect((await refusalOf(one.upstream.dial())).code).to.equal('upstream_unreachable');
    one.names.set('orders.shop', ['10.0.0.1']);
    await one.clock.advance(RESOLVE_MS);
    await dials(one, 1);
  });

  it('asks nobody any more when it is stopped', async () => {
    const one = played();
    await one.destination.start();
    one.destination.stop();
    expect(one.clock.pending).to.equal(0);
  });

  it('is refused when it is no address', async () => {
    expect((await refusalOf(() => played({ to: 'orders' }))).code).to.equal('address_unusable');
  });
});
