/**
 * A connection can end, or be retired, in the moment between its making and the request that it was made for. The
 * request is then carried, or refused with a code; it never waits on a connection that nobody listens to any more.
 */
import { expect } from 'chai';
import { Refusal } from '../../../shared/errors/refusal.ts';
import type { Carrier } from '../../../sidecar/relay/relay.ts';
import { MemoryChannel, Recorder } from '../../support/memory-channel.ts';
import { RawClient } from '../../support/raw-client.ts';
import { httpRig, PlayedConnection } from '../../support/relay-rig.ts';
import { until } from '../../support/until.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** Tells its carrier at once, as a registry does whose identity was exchanged during the handshake. */
class HastyConnection extends PlayedConnection {
  readonly #tell: (carrier: Carrier) => void;

  constructor(tell: (carrier: Carrier) => void) {
    super();
    this.#tell = tell;
  }

  override carriedBy(carrier: Carrier): void {
    super.carriedBy(carrier);
    this.#tell(carrier);
  }
}

/** @param tell what happens to a connection the moment that it has come about */
async function rigWith(tell: (carrier: Carrier, inner: MemoryChannel, outer: Recorder) => void) {
  const recorders: Recorder[] = [];
  const rig = await httpRig({
    to: {
      kind: 'peer',
      address: 'memory',
      dial: () => {
        const [inner, outer] = MemoryChannel.pair();
        const recorder = new Recorder(outer);
        recorders.push(recorder);
        const connection = new HastyConnection((carrier) => tell(carrier, inner, recorder));
        return Promise.resolve({ channel: inner, connection });
      },
    },
  });
  return { rig, recorders };
}

describe('a connection that was just made', () => {
  for (const [what, tell] of [
    ['retired', (carrier: Carrier) => carrier.retire('rotation')],
    ['retired a moment later', (carrier: Carrier) => queueMicrotask(() => carrier.retire('rotation'))],
    ['expired', (carrier: Carrier) => carrier.expire()],
  ] as const) {
    it(`carries its one request when it is ${what} at once`, async () => {
      const { rig, recorders } = await rigWith(tell);
      await using _ = rig;
      await using client = await RawClient.connect(rig.port);
      client.send(GET);
      await until('it is asked', () => recorders[0]?.text.includes('\r\n\r\n'));
      recorders[0]!.send(OK);
      expect(await client.until('ok')).to.include('200 OK');
      await until('it is not kept', () => recorders[0]!.ended);
    });
  }

  for (const [what, tell] of [
    ['is cut', (carrier: Carrier) => queueMicrotask(() => carrier.cut(new Refusal('connection_expired')))],
    ['has ended', (_: Carrier, inner: MemoryChannel) => queueMicrotask(() => inner.receiver.onEnd())],
    [
      'speaks unasked',
      (_: Carrier, inner: MemoryChannel) => queueMicrotask(() => inner.receiver.onBytes(Buffer.from(OK), false)),
    ],
  ] as const) {
    it(`is no way to wait for ever when it ${what} at once`, async () => {
      const { rig } = await rigWith(tell);
      await using _ = rig;
      await using client = await RawClient.connect(rig.port);
      expect(await client.send(GET).until('\r\n\r\n')).to.match(/^HTTP\/1\.1 50[23] /);
      expect(rig.refused).to.have.length(1);
    });
  }
});
