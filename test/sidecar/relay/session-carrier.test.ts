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
  const carrier = new SessionCarrier(carried, registered);
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
  return { events, registered, carried, stream };
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
    registered.carrier!.retire('draining');
    registered.state = 'expired';
    stream('late');
    expect(events).to.deep.equal(['session drains', 'late retires: draining', 'late expires']);
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
