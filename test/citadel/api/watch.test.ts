/** Watching and acknowledging over real connections: the whole bundle first, then news, and an end for every stream. */
import { expect } from 'chai';
import { readWatchMessage, type WatchMessage } from '../../../shared/api/messages.ts';
import { decodeBundle } from '../../../shared/spiffe/trust-bundle.ts';
import { until } from '../../support/until.ts';
import { type Answer, ApiUnderTest, bundleOf, codeIn, type RawCaller, type Wishes } from './api-under-test.ts';

describe('GET /v1/watch', () => {
  const watch = async (api: ApiUnderTest, token = 'good'): Promise<RawCaller> => {
    const caller = await api.raw();
    caller.socket.write(`GET /v1/watch HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${token}\r\n\r\n`);
    await caller.until('\r\n\r\n');
    return caller;
  };
  const acknowledge = (api: ApiUnderTest, version: number, token = 'good'): Promise<Answer> =>
    api.post('/v1/acknowledgements', { version }, token);

  it('sends the whole bundle first, as one line of JSON', async () => {
    await using api = await ApiUnderTest.start();
    const caller = await watch(api);
    const [message] = messagesIn(await caller.until('"type":"bundle"'));
    expect(message).to.include({ type: 'bundle', version: 1, trustDomain: 'test' });
    expect(decodeBundle('test', (message as { bundle: unknown }).bundle).authorities).to.have.length(1);
    expect(caller.received).to.match(/content-type: application\/x-ndjson/i);
  });

  it('sends a newer bundle to everyone who watches, and an older one to nobody', async () => {
    await using api = await ApiUnderTest.start();
    const callers = [await watch(api, 'good-a'), await watch(api, 'good-b')];
    await api.watchers.publish(bundleOf(3));
    await api.watchers.publish(bundleOf(2));
    const late = await watch(api, 'good-late');
    await api.watchers.publish(bundleOf(4));
    const versionsOf = async (caller: RawCaller): Promise<unknown[]> =>
      messagesIn(await caller.until('"version":4')).map((message) => 'version' in message && message.version);
    for (const caller of callers) expect(await versionsOf(caller)).to.deep.equal([1, 3, 4]);
    expect(await versionsOf(late)).to.deep.equal([3, 4]);
  });

  it('sends the time while there is nothing else to say', async () => {
    await using api = await ApiUnderTest.start({ heartbeatMs: 20 });
    const caller = await watch(api);
    const messages = messagesIn(await caller.until('"type":"heartbeat"'));
    expect(Date.parse((messages.at(-1) as { serverTime: string }).serverTime)).to.be.closeTo(Date.now(), 5_000);
  });

  it('refuses who cannot be attested', async () => {
    await using api = await ApiUnderTest.start();
    expect(codeIn(await api.ask('GET', '/v1/watch'))).to.equal('token_missing');
    const bad = await api.ask('GET', '/v1/watch', { headers: { authorization: 'Bearer bad' } });
    expect([bad.status, codeIn(bad)]).to.deep.equal([401, 'token_signature_invalid']);
    expect(api.watchers.count).to.equal(0);
  });

  it('ends when the token that opened it expires', async () => {
    await using api = await ApiUnderTest.start({ tokenLifeMs: 150 });
    const caller = await watch(api);
    await caller.until('\r\n0\r\n\r\n');
    expect(api.watchers.count).to.equal(0);
  });

  it('takes no more watchers than the limit, and says when to come back', async () => {
    await using api = await ApiUnderTest.start({ mostWatchers: 1 });
    await watch(api, 'good-a');
    const caller = await watch(api, 'good-b');
    const text = await caller.until('"code"');
    expect([text.slice(9, 12), codeIn(text)]).to.deep.equal(['503', 'watch_limit']);
    expect(text).to.match(/retry-after: 5/i);
  });

  it('ends the oldest stream of a pod that opens a third', async () => {
    await using api = await ApiUnderTest.start();
    const [oldest, second] = [await watch(api), await watch(api)];
    await watch(api);
    await oldest!.until('\r\n0\r\n\r\n');
    expect(api.watchers.count).to.equal(2);
    expect(second!.received).not.to.include('\r\n0\r\n\r\n');
  });

  it('forgets a watcher that has gone', async () => {
    await using api = await ApiUnderTest.start();
    const caller = await watch(api);
    expect(api.watchers.count).to.equal(1);
    caller.socket.destroy();
    await until('the stream is gone', () => api.watchers.count === 0 || undefined);
  });

  it('cuts off who reads too slowly, and nobody else', async () => {
    await using api = await ApiUnderTest.start({ mostQueuedBytes: 1 << 20 } satisfies Wishes);
    const slow = await watch(api, 'good-slow');
    const quick = await watch(api, 'good-quick');
    slow.socket.pause();
    const many = { ...bundleOf(1), authorities: Array.from({ length: 100 }, () => bundleOf(1).authorities[0]!) };
    let sequence = 1;
    while (api.watchers.count === 2 && sequence < 400) {
      await api.watchers.publish({ ...many, sequence: ++sequence });
      await quick.until(`"version":${sequence},`);
      quick.received = '';
    }
    expect(api.watchers.count).to.equal(1);
    slow.socket.resume();
    await slow.closed;
    expect(quick.socket.destroyed).to.equal(false);
  });

  it('leaves room for other requests: a watcher is not a request in flight', async () => {
    await using api = await ApiUnderTest.start({ concurrent: 1 });
    await watch(api);
    expect(api.admission.inFlight).to.equal(0);
    expect((await api.post('/v1/certificates', { csr: 'x' })).status).to.equal(201);
  });

  it('answers HEAD without becoming a watcher', async () => {
    await using api = await ApiUnderTest.start();
    const answer = await api.ask('HEAD', '/v1/watch', { headers: { authorization: 'Bearer good' } });
    expect([answer.status, api.watchers.count]).to.deep.equal([200, 0]);
  });

  describe('POST /v1/acknowledgements', () => {
    it('knows afterwards which pod has which version in use', async () => {
      await using api = await ApiUnderTest.start();
      await Promise.all([watch(api, 'good-a'), watch(api, 'good-b')]);
      expect(api.watchers.acknowledgedBy(1)).to.deep.equal({ by: [], missing: ['uid-a', 'uid-b'] });
      expect((await acknowledge(api, 1, 'good-a')).status).to.equal(204);
      expect(api.watchers.acknowledgedBy(1)).to.deep.equal({ by: ['uid-a'], missing: ['uid-b'] });
      expect(api.watchers.lowestAcknowledged()).to.equal(0);
      await acknowledge(api, 1, 'good-b');
      expect(api.watchers.lowestAcknowledged()).to.equal(1);
    });

    it('takes only a version that was sent to this very pod', async () => {
      await using api = await ApiUnderTest.start();
      await watch(api, 'good-a');
      for (const [version, token] of [
        [2, 'good-a'],
        [1, 'good-b'],
        [0, 'good-a'],
      ] as const) {
        const answer = await acknowledge(api, version, token);
        expect([answer.status, codeIn(answer)]).to.deep.equal([409, 'acknowledgement_unknown']);
      }
    });

    it('takes the same acknowledgement twice', async () => {
      await using api = await ApiUnderTest.start();
      await watch(api);
      expect([(await acknowledge(api, 1)).status, (await acknowledge(api, 1)).status]).to.deep.equal([204, 204]);
    });

    it('refuses a body that is none, and a token that is not good', async () => {
      await using api = await ApiUnderTest.start();
      for (const body of [{}, { version: '1' }, { version: -1 }, { version: 1.5 }, { version: 1, more: 1 }]) {
        expect(codeIn(await api.post('/v1/acknowledgements', body))).to.equal('request_malformed');
      }
      expect(codeIn(await acknowledge(api, 1, 'bad'))).to.equal('token_signature_invalid');
    });
  });
});

function messagesIn(received: string): WatchMessage[] {
  return received
    .split('\n')
    .map(readWatchMessage)
    .filter((message) => message !== undefined);
}
