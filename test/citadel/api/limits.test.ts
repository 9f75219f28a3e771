/** Nobody takes more than their share: bytes, fields, time, connections, concurrency, each with its own code. */
import { expect } from 'chai';
import { ApiUnderTest, codeIn, issuedTo, type RawCaller } from './api-under-test.ts';

const HEAD =
  'POST /v1/certificates HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer good\r\ncontent-type: application/json\r\n';

describe('the limits of the API', () => {
  /** The caller is answered with this code, and then its connection ends. */
  const endsWith = async (caller: RawCaller, status: number, code: string): Promise<void> => {
    const text = await caller.until('"code":');
    expect(text).to.match(new RegExp(`^HTTP/1.1 ${status} `));
    expect(codeIn(text)).to.equal(code);
    await caller.closed;
  };

  it('answers a header over the limit with 431, even one of 1 MiB that is still being sent', async () => {
    await using api = await ApiUnderTest.start();
    const caller = await api.raw();
    caller.socket.write(
      `POST /v1/certificates HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${'x'.repeat(1 << 20)}\r\n\r\n`,
    );
    await endsWith(caller, 431, 'request_headers_too_large');
    expect(api.metrics.refusals.get(['request_headers_too_large'])).to.equal(1);
  });

  it('lets a token of 8 KiB and usual fields through to the code that judges it', async () => {
    await using api = await ApiUnderTest.start();
    const answer = await api.post('/v1/certificates', { csr: 'x' }, `good-${'x'.repeat(8187)}`, {
      'x-filler': 'y'.repeat(4096),
    });
    expect(answer.status).to.equal(201);
  });

  it('reads on for a while so that a refused caller gets its answer, but not without end', async () => {
    await using api = await ApiUnderTest.start();
    const caller = await api.raw();
    caller.socket.write(`${HEAD}content-length: ${1 << 30}\r\n\r\n`);
    expect(codeIn(await caller.until('"code":'))).to.equal('request_too_large');
    let sent = 0;
    while (!caller.socket.destroyed && sent < 256) {
      caller.socket.write(Buffer.alloc(1 << 20, 'x'));
      sent++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await caller.closed;
    expect(sent).to.be.lessThan(256);
  });

  it('lets a caller that first sends everything and only then reads have its answer', async () => {
    await using api = await ApiUnderTest.start({ limits: { headerSeconds: 30, requestSeconds: 30 } });
    const caller = await api.raw();
    caller.socket.pause();
    const sent = new Promise<void>((resolve, reject) => {
      const bytes = `GET / HTTP/1.1\r\nx: ${'x'.repeat(3 << 20)}\r\n\r\n`;
      caller.socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
    await sent;
    caller.socket.resume();
    await endsWith(caller, 431, 'request_headers_too_large');
  }).timeout(5_000);

  it('refuses too many fields instead of overlooking some', async () => {
    await using api = await ApiUnderTest.start({ limits: { headerCount: 20 } });
    const fields = Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`x-field-${at}`, '1']));
    const answer = await api.ask('GET', '/v1/bundle', { headers: fields });
    expect([answer.status, codeIn(answer)]).to.deep.equal([431, 'request_headers_too_large']);
  });

  it('ends a header that comes too slowly, and a connection that sends nothing', async () => {
    await using api = await ApiUnderTest.start({ limits: { headerSeconds: 0.3 } });
    const [slow, silent] = [await api.raw(), await api.raw()];
    slow.socket.write('POST /v1/certificates HTTP/1.1\r\nhost: loc');
    await Promise.all([endsWith(slow, 408, 'request_timeout'), endsWith(silent, 408, 'request_timeout')]);
  });

  it('ends a body that comes too slowly, once, and holds no place among the requests in flight for it', async () => {
    await using api = await ApiUnderTest.start({ limits: { headerSeconds: 0.3, requestSeconds: 0.8 }, concurrent: 1 });
    const caller = await api.raw();
    caller.socket.write(`${HEAD}content-length: 100\r\n\r\n{"csr":`);
    await api
      .line(({ event }) => event === 'request_refused')
      .then(({ fields }) => expect(fields['code']).to.equal('request_timeout'));
    expect((await api.post('/v1/certificates', { csr: 'x' })).status).to.equal(201);
    await endsWith(caller, 408, 'request_timeout');
    expect(caller.received.match(/HTTP\/1\.1/g)).to.have.length(1);
    expect(api.lines.filter(({ event }) => event.endsWith('_refused'))).to.have.length(1);
  });

  it('takes other requests while many bodies are on their way slowly', async () => {
    await using api = await ApiUnderTest.start({ concurrent: 2 });
    const slow = await Promise.all(Array.from({ length: 8 }, () => api.raw()));
    for (const { socket } of slow) socket.write(`${HEAD}content-length: 100\r\n\r\n{`);
    expect((await api.post('/v1/certificates', { csr: 'x' })).status).to.equal(201);
  });

  it('sends callers beyond the concurrency limit away at once, with a time to come back', async () => {
    const held = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    await using api = await ApiUnderTest.start({
      concurrent: 1,
      issue: async () => {
        begun.resolve();
        await held.promise;
        return issuedTo({
          method: 'oidc',
          namespace: 'n',
          serviceAccount: 's',
          serviceAccountUid: 'u',
          podName: 'p',
          podUid: 'u',
          tokenId: 't',
          tokenExpiresAt: 0,
        });
      },
    });
    const first = api.post('/v1/certificates', { csr: 'x' });
    await begun.promise;
    const second = await api.post('/v1/certificates', { csr: 'x' });
    expect([second.status, codeIn(second), second.headers['retry-after']]).to.deep.equal([503, 'overloaded', '1']);
    held.resolve();
    expect((await first).status).to.equal(201);
    expect(api.admission.inFlight).to.equal(0);
  });

  it('stops work whose time is over', async () => {
    await using api = await ApiUnderTest.start({
      answerMs: 50,
      issue: (_wish, signal) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
    });
    const answer = await api.post('/v1/certificates', { csr: 'x' });
    expect([answer.status, codeIn(answer)]).to.deep.equal([503, 'overloaded']);
  });

  it('stops work whose caller has gone', async () => {
    const begun = Promise.withResolvers<AbortSignal>();
    await using api = await ApiUnderTest.start({
      issue: (_wish, signal) => {
        begun.resolve(signal);
        return new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason as Error)),
        );
      },
    });
    const caller = await api.raw();
    caller.socket.write(`${HEAD}content-length: 11\r\n\r\n{"csr":"x"}`);
    await begun.promise;
    caller.socket.destroy();
    await api.line(({ fields }) => fields['code'] === 'caller_gone');
    expect(api.admission.inFlight).to.equal(0);
  });

  it('tells callers beyond the connection limit to come back, and ends their connection', async () => {
    await using api = await ApiUnderTest.start({ limits: { connections: 2 } });
    const inside = [await api.raw(), await api.raw()];
    const over = await api.raw();
    over.socket.write('GET /v1/bundle HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await endsWith(over, 503, 'overloaded');
    expect(over.received).to.match(/retry-after: 1/i);
    inside[0]!.socket.write('GET /v1/bundle HTTP/1.1\r\nhost: localhost\r\n\r\n');
    expect(await inside[0]!.until('spiffe_sequence')).to.match(/^HTTP\/1\.1 200 /);
  });

  const MALFORMED: readonly (readonly [string, string])[] = [
    ['garbage', 'garbage\r\n\r\n'],
    ['two lengths', `${HEAD}content-length: 2\r\ncontent-length: 3\r\n\r\n{}`],
    ['a length and chunks', `${HEAD}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}`],
    ['a negative length', `${HEAD}content-length: -1\r\n\r\n`],
    ['a line feed in a field', 'GET /v1/bundle HTTP/1.1\r\nhost: localhost\r\nx: a\nb: c\r\n\r\n'],
    ['space before the colon', 'GET /v1/bundle HTTP/1.1\r\nhost : localhost\r\n\r\n'],
    ['a folded field', 'GET /v1/bundle HTTP/1.1\r\nhost: localhost\r\nx: a\r\n b\r\n\r\n'],
  ];
  for (const [what, bytes] of MALFORMED) {
    it(`answers ${what} with problem details and closes`, async () => {
      await using api = await ApiUnderTest.start();
      const caller = await api.raw();
      caller.socket.write(bytes);
      await endsWith(caller, 400, 'request_malformed');
    });
  }

  const QUESTIONABLE: readonly (readonly [string, string])[] = [
    ['no host', 'GET /v1/bundle HTTP/1.1\r\n\r\n'],
    ['an unknown expectation', 'GET /v1/bundle HTTP/1.1\r\nhost: localhost\r\nexpect: wonders\r\n\r\n'],
    ['two hosts', 'GET /v1/bundle HTTP/1.1\r\nhost: localhost\r\nHost: elsewhere\r\n\r\n'],
    ['two tokens', `${HEAD}Authorization: Bearer other\r\ncontent-length: 2\r\n\r\n{}`],
    ['two content types', `${HEAD}content-type: text/plain\r\ncontent-length: 2\r\n\r\n{}`],
  ];
  for (const [what, bytes] of QUESTIONABLE) {
    it(`answers ${what} with problem details`, async () => {
      await using api = await ApiUnderTest.start();
      const caller = await api.raw();
      caller.socket.write(bytes);
      const text = await caller.until('"code":');
      expect([text.slice(0, 12), codeIn(text)]).to.deep.equal(['HTTP/1.1 400', 'request_malformed']);
    });
  }

  it('answers requests that come at once in their order, refused ones too', async () => {
    await using api = await ApiUnderTest.start();
    const caller = await api.raw();
    const refused = `${HEAD}content-length: 2\r\n\r\n[]`;
    const fine = 'GET /v1/bundle HTTP/1.1\r\nhost: localhost\r\n\r\n';
    caller.socket.write(refused + fine + refused + fine.replace('bundle', 'nowhere'));
    const text = await caller.until('route_unknown');
    expect(text.match(/HTTP\/1\.1 \d+/g)?.map((line) => line.slice(9))).to.deep.equal(['400', '200', '400', '404']);
  });

  it('cuts a connection that turns to garbage while answers wait, instead of answering out of turn', async () => {
    const held = Promise.withResolvers<never>();
    await using api = await ApiUnderTest.start({ issue: () => held.promise });
    const caller = await api.raw();
    caller.socket.write(
      `${HEAD}content-length: 11\r\n\r\n{"csr":"x"}GET /v1/bundle HTTP/1.1\r\nhost: localhost\r\n\r\ngarbage\r\n\r\n`,
    );
    await caller.closed;
    expect(caller.received).to.equal('');
  });

  it('never mixes a second answer into one that has begun', async () => {
    await using api = await ApiUnderTest.start();
    const caller = await api.raw();
    caller.socket.write('GET /v1/watch HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer good\r\n\r\n');
    await caller.until('"type":"bundle"');
    caller.socket.write('garbage\r\n\r\n');
    await caller.closed;
    expect(caller.received.match(/HTTP\/1\.1/g)).to.have.length(1);
  });

  it('survives connections that are reset in the middle of everything', async () => {
    await using api = await ApiUnderTest.start();
    for (const bytes of ['', 'GET /v1', HEAD, `${HEAD}content-length: 50\r\n\r\n{"csr`]) {
      const caller = await api.raw();
      caller.socket.write(bytes);
      caller.socket.destroy();
      await caller.closed;
    }
    expect((await api.post('/v1/certificates', { csr: 'x' })).status).to.equal(201);
  });
});
