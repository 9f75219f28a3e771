/** The end of the API: nothing new is taken, what is in flight is answered, and the time for that is bounded. */
import { expect } from 'chai';
import { ApiUnderTest, codeIn, issuedTo, type RawCaller } from './api-under-test.ts';

const ATTESTED = {
  method: 'oidc',
  namespace: 'n',
  serviceAccount: 's',
  serviceAccountUid: 'u',
  podName: 'p',
  podUid: 'u',
  tokenId: 't',
  tokenExpiresAt: 0,
} as const;

describe('draining the API', () => {
  const held = (): { api: ApiUnderTest; begun: Promise<void>; release: () => void } => {
    const begun = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    const api = new ApiUnderTest({
      issue: async () => {
        begun.resolve();
        await released.promise;
        return issuedTo(ATTESTED);
      },
    });
    return { api, begun: begun.promise, release: released.resolve };
  };
  const idle = async (api: ApiUnderTest): Promise<RawCaller> => {
    const caller = await api.raw();
    caller.socket.write('GET /v1/bundle HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await caller.until('spiffe_sequence');
    return caller;
  };

  it('answers what is in flight, closes idle connections and takes no new ones', async () => {
    const { api, begun, release } = held();
    api.port = (await api.server.listen('127.0.0.1:0')).port;
    const waiting = await idle(api);
    const request = api.post('/v1/certificates', { csr: 'x' });
    await begun;
    const drained = api.server.drain(10_000);
    await waiting.closed;
    const refused = await api.raw().then(
      () => 'connected',
      (error: NodeJS.ErrnoException) => error.code,
    );
    expect(refused).to.equal('ECONNREFUSED');
    release();
    expect((await request).status).to.equal(201);
    expect(await drained).to.equal(true);
  });

  it('tells a caller on an open connection to come back, and closes it', async () => {
    const { api, begun, release } = held();
    api.port = (await api.server.listen('127.0.0.1:0')).port;
    const request = api.post('/v1/certificates', { csr: 'x' });
    await begun;
    // Half of a request keeps its connection from being idle when the drain begins.
    const late = await api.raw();
    late.socket.write('GET /v1/bundle HTTP/1.1\r\nhost: loc');
    await (await idle(api)).socket.destroy();
    const drained = api.server.drain(10_000);
    late.socket.write('alhost\r\n\r\n');
    const text = await late.until('"code"');
    expect([text.slice(9, 12), codeIn(text)]).to.deep.equal(['503', 'shutting_down']);
    await late.closed;
    release();
    await request;
    expect(await drained).to.equal(true);
  });

  it('closes a connection behind the answer that was in flight on it', async () => {
    const { api, begun, release } = held();
    api.port = (await api.server.listen('127.0.0.1:0')).port;
    const caller = await api.raw();
    const head = 'POST /v1/certificates HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer good\r\n';
    caller.socket.write(`${head}content-type: application/json\r\ncontent-length: 11\r\n\r\n{"csr":"x"}`);
    await begun;
    const drained = api.server.drain(3_000);
    release();
    await caller.until('"receipt"');
    expect(await drained).to.equal(true);
    await caller.closed;
  });

  it('ends the watch streams', async () => {
    await using api = await ApiUnderTest.start();
    const caller = await api.raw();
    caller.socket.write('GET /v1/watch HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer good\r\n\r\n');
    await caller.until('"type":"bundle"');
    api.watchers.drain();
    expect(await api.server.drain(10_000)).to.equal(true);
    await caller.closed;
    expect(caller.received).to.include('\r\n0\r\n\r\n');
  });

  it('cuts what is left when the time is over, and says so', async () => {
    const { api, begun, release } = held();
    api.port = (await api.server.listen('127.0.0.1:0')).port;
    const request = api.post('/v1/certificates', { csr: 'x' }).then(
      () => 'answered',
      () => 'cut',
    );
    await begun;
    expect(await api.server.drain(50)).to.equal(false);
    expect(await request).to.equal('cut');
    release();
  });
});
