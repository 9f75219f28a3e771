/** What a tunnel carries ends with the session's identities, as if it had been a connection of its own. */
import { expect } from 'chai';
import { Refusal } from '../../../shared/errors/refusal.ts';
import type { Carrier, ConnectionState, RetirementReason } from '../../../sidecar/relay/relay.ts';
import { SessionCarrier } from '../../../sidecar/relay/session-carrier.ts';

function session() {
  const events: string[] = [];
  const registered = {
    id: 7,
    state: 'open' as ConnectionState,
    requests: 0,
    carrier: undefined as Carrier | undefined,
    carriedBy(carrier: Carrier) {
      this.carrier = carrier;
    },
  };
  const carried = {
    streams: 0,
    drain: () => events.push('session drains'),
    cut: (why: Refusal) => events.push(`session cut ${why.code}`),
  };
  const carrier = new SessionCarrier(carried);
  carrier.registeredAs(registered);
  const stream = (name: string) => {
    const channel = { isClosed: false };
    const connection = carrier.entered(channel);
    connection.carriedBy({
      retire: (reason: RetirementReason) => events.push(`${name} retires: ${reason}`),
      expire: () => events.push(`${name} expires`),
      cut: (why: Refusal) => events.push(`${name} cut ${why.code}`),
    });
    return { channel, connection };
  };
  return { events, carrier, registered, carried, stream };
}

describe('streams of a session', () => {
  it('are told everything that the session is told', () => {
    const { events, registered, stream } = session();
    stream('one');
    registered.carrier!.retire('rotation');
    registered.state = 'expired';
    registered.carrier!.expire();
    registered.carrier!.cut(new Refusal('connection_expired'));
    expect(events).to.deep.equal([
      'session drains',
      'one retires: rotation',
      'session drains',
      'one expires',
      'one cut connection_expired',
      'session cut connection_expired',
    ]);
  });

  it('are told at once what was decided before they came', () => {
    const { events, registered, stream } = session();
    registered.carrier!.retire('expiry');
    registered.state = 'expired';
    stream('late');
    expect(events).to.deep.equal(['session drains', 'late retires: expiry', 'late expires']);
  });

  it('end for draining only when the other side has heard of it, and never before they were used', () => {
    const { events, carrier, registered, stream } = session();
    stream('one');
    registered.carrier!.retire('draining');
    expect(events.splice(0)).to.deep.equal(['session drains', 'one retires: rotation']);
    carrier.heard();
    expect(events.splice(0)).to.deep.equal(['one retires: draining']);
    stream('late');
    expect(events.splice(0)).to.deep.equal(['late retires: rotation']);
    carrier.heard();
    expect(events).to.deep.equal([]);
  });

  it('begin nothing new when the other side drains', () => {
    const { events, carrier, registered, stream } = session();
    stream('one');
    carrier.peerDrains();
    expect(events.splice(0)).to.deep.equal(['session drains', 'one retires: rotation']);
    registered.carrier!.retire('draining');
    carrier.peerDrains();
    expect(events).to.deep.equal(['session drains', 'one retires: rotation']);
  });

  it('are told nothing once they are closed', () => {
    const { events, registered, stream } = session();
    stream('gone').channel.isClosed = true;
    registered.carrier!.retire('expiry');
    expect(events).to.deep.equal(['session drains']);
  });

  it('count as the requests of their session', () => {
    const { registered, stream } = session();
    stream('one').connection.requests++;
    stream('two').connection.requests++;
    expect(registered.requests).to.equal(2);
  });
});
