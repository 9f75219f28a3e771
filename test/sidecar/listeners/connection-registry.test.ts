import { once } from 'node:events';
import { Socket } from 'node:net';
import { expect } from 'chai';
import { silentLog } from '../../../shared/log/log.ts';
import { parseSpiffeId } from '../../../shared/spiffe/spiffe-id.ts';
import type { Identity } from '../../../sidecar/identity/identity.ts';
import { ConnectionRegistry } from '../../../sidecar/listeners/connection-registry.ts';
import type { Carrier, ConnectionFacts } from '../../../sidecar/relay/relay.ts';
import { ConnectionMetrics } from '../../../sidecar/telemetry/connection-metrics.ts';
import { FakeClock } from '../../support/fake-clock.ts';

class KeptCarrier implements Carrier {
  readonly told: string[] = [];
  retire(reason: string): void {
    this.told.push(reason);
  }
  expire(): void {
    this.told.push('expire');
  }
  cut(): void {
    this.told.push('cut');
  }
}

interface FactOptions {
  readonly ownEnds?: number;
  readonly peerEnds?: number;
  readonly generation?: number;
  readonly role?: ConnectionFacts['role'];
}

describe('connection registry', () => {
  let clock: FakeClock;
  let metrics: ConnectionMetrics;
  let registry: ConnectionRegistry;

  beforeEach(() => {
    clock = new FakeClock();
    metrics = new ConnectionMetrics();
    registry = new ConnectionRegistry({ clock, log: silentLog, metrics, expiryGraceSeconds: 30 });
  });

  /** @param options ends in seconds from now */
  function facts({
    ownEnds = 3600,
    peerEnds = 3600,
    generation = 1,
    role = 'accepted',
  }: FactOptions = {}): ConnectionFacts {
    const at = (seconds: number): number => clock.now() + seconds * 1000;
    const spiffeId = parseSpiffeId('spiffe://cluster.local/ns/shop/sa/web');
    return {
      direction: role === 'accepted' ? 'inbound' : 'outbound',
      listener: 'app',
      protocol: 'http',
      leg: 'mtls',
      role,
      socket: new Socket(),
      peer: { spiffeId, notAfter: at(peerEnds), certificateHash: 'ab', serial: '1', chain: [] },
      own: { spiffeId, notAfter: at(ownEnds), generation } as Identity,
    };
  }

  /** A store that has just put a new certificate to use. */
  function rotate(generation: number): void {
    const listeners: (() => void)[] = [];
    const onChange = (fn: () => void): (() => void) => {
      listeners.push(fn);
      return () => {};
    };
    const store = { identity: { generation: generation - 1 } as Identity, trust: undefined, onChange };
    registry.followIdentity(store);
    store.identity = { generation } as Identity;
    for (const listener of listeners) listener();
  }

  function registered(options?: FactOptions): KeptCarrier {
    const carrier = new KeptCarrier();
    registry.register(facts(options)).carriedBy(carrier);
    return carrier;
  }

  it('ends a connection with the certificate that ends first, whichever side it is of', async () => {
    const byPeer = registered({ peerEnds: 100 });
    const byOwn = registered({ ownEnds: 200 });
    await clock.advance(94_000);
    expect(byPeer.told).to.deep.equal([]);
    await clock.advance(2_000);
    expect(byPeer.told).to.deep.equal(['expiry']);
    await clock.advance(5_000);
    expect(byPeer.told).to.deep.equal(['expiry', 'expire']);
    await clock.advance(30_000);
    expect(byPeer.told).to.deep.equal(['expiry', 'expire', 'cut']);
    expect(byOwn.told).to.deep.equal([]);
    await clock.advance(100_000);
    expect(byOwn.told).to.deep.equal(['expiry', 'expire', 'cut']);
  });

  it('sees a wall clock that jumps within a minute', async () => {
    const carrier = registered({ ownEnds: 3600 });
    clock.jump(3_700_000);
    await clock.advance(61_000);
    expect(carrier.told).to.deep.equal(['expiry', 'expire', 'cut']);
  });

  it('never ends a plaintext connection of the app', async () => {
    const { peer: _peer, own: _own, ...plain } = facts();
    const carrier = new KeptCarrier();
    const socket = new Socket();
    registry.register({ ...plain, socket, leg: 'app', direction: 'outbound' }).carriedBy(carrier);
    rotate(9);
    await clock.advance(7_200_000);
    expect(carrier.told).to.deep.equal([]);
    expect(registry.list()[0]).to.include({ leg: 'app', endsAt: null, state: 'open' });
  });

  it('retires what was dialed with an older certificate when a new one is there, and nothing else', () => {
    const old = registered({ role: 'dialed', generation: 1 });
    const fresh = registered({ role: 'dialed', generation: 2 });
    const accepted = registered({ role: 'accepted', generation: 1 });
    rotate(2);
    expect([old.told, fresh.told, accepted.told]).to.deep.equal([['rotation'], [], []]);
  });

  it('tells a carrier that comes late what has been decided before', async () => {
    const connection = registry.register(facts({ ownEnds: 10 }));
    await clock.advance(11_000);
    const carrier = new KeptCarrier();
    connection.carriedBy(carrier);
    expect([connection.state, carrier.told]).to.deep.equal(['expired', ['expiry', 'expire']]);
  });

  it('forgets a connection whose socket has closed, with its timers', async () => {
    const { socket, ...rest } = facts({ ownEnds: 10 });
    const carrier = new KeptCarrier();
    registry.register({ socket, ...rest }).carriedBy(carrier);
    expect([registry.size, metrics.open.get(['inbound', 'app', 'mtls']), clock.pending]).to.deep.equal([1, 1, 1]);
    socket.destroy();
    await once(socket, 'close');
    await clock.advance(60_000);
    expect([registry.size, metrics.open.get(['inbound', 'app', 'mtls']), clock.pending]).to.deep.equal([0, 0, 0]);
    expect(carrier.told).to.deep.equal([]);
  });

  it('drains: retires what is open and what comes, and tells when all is closed', async () => {
    const first = facts();
    const carrier = new KeptCarrier();
    registry.register(first).carriedBy(carrier);
    let drained = false;
    const over = registry.drain().then(() => (drained = true));
    const late = registered();
    expect([carrier.told, late.told]).to.deep.equal([['draining'], ['draining']]);
    expect(registry.cutAll()).to.equal(2);
    expect(drained).to.equal(false);
    first.socket.destroy();
    await once(first.socket, 'close');
    expect([registry.size, drained]).to.deep.equal([1, false]);
    void over;
  });

  it('lists what an operator may see, without a key or a token', () => {
    registry.register(facts({ role: 'dialed' })).requests++;
    const [listed] = registry.list();
    expect(listed).to.include({
      direction: 'outbound',
      listener: 'app',
      protocol: 'http',
      peer: 'spiffe://cluster.local/ns/shop/sa/web',
      state: 'open',
      requests: 1,
    });
    expect(Date.parse(listed!.endsAt!) - Date.parse(listed!.openedAt)).to.equal(3_600_000);
  });
});
