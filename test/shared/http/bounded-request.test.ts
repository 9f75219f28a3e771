import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { systemClock } from '../../../shared/clock/clock.ts';
import { boundedRequest, ExchangeFailure } from '../../../shared/http/bounded-request.ts';
import { type HttpPool, openPool } from '../../../shared/http/undici.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { until } from '../../support/until.ts';

describe('a bounded request', () => {
  let server: Server;
  let pool: HttpPool;
  let answer: RequestListener;
  let asked = 0;

  beforeEach(async () => {
    asked = 0;
    server = createServer((request, response) => {
      asked++;
      answer(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    pool = openPool(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
  afterEach(async () => {
    await pool.destroy();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const ask = (limits: { clock?: FakeClock; signal?: AbortSignal; mostBytes?: number } = {}) =>
    boundedRequest(
      pool,
      { method: 'GET', path: '/' },
      { clock: systemClock, timeoutMs: 5000, mostBytes: 100, ...limits },
    );
  const failureOf = (attempt: Promise<unknown>) =>
    attempt.then(
      () => 'answered',
      (error: unknown) => (error instanceof ExchangeFailure ? error.kind : error),
    );

  it('gives status, headers and body, whatever the status', async () => {
    answer = (_request, response) => response.writeHead(503, { 'retry-after': '1' }).end('busy');
    const { status, headers, body } = await ask();
    expect([status, headers['retry-after'], body.toString()]).to.deep.equal([503, '1', 'busy']);
  });

  it('ends when the answer does not begin in time, and when it does not end in time', async () => {
    for (const begins of [false, true]) {
      answer = (_request, response) => begins && response.writeHead(200).write('a');
      const clock = new FakeClock();
      const before = asked;
      const outcome = failureOf(ask({ clock }));
      await until('the server was asked', () => asked > before || undefined);
      await clock.advance(5000);
      expect(await outcome).to.equal('timeout');
      expect(clock.pending).to.equal(0);
    }
  });

  it('reads up to its bound, and not a byte more', async () => {
    answer = (_request, response) => response.end('x'.repeat(100));
    expect((await ask()).body).to.have.length(100);
    expect(await failureOf(ask({ mostBytes: 99 }))).to.equal('too-large');
  });

  it('leaves with the reason of its caller', async () => {
    answer = () => undefined;
    const leaver = new AbortController();
    const outcome = failureOf(ask({ signal: leaver.signal }));
    await until('the server was asked', () => asked > 0 || undefined);
    leaver.abort('left');
    expect(await outcome).to.equal('left');
  });

  it('tells a server that cuts the connection, and one that is not there', async () => {
    answer = (request) => request.socket.destroy();
    expect(await failureOf(ask())).to.equal('unreachable');
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    const failure = await ask().catch((error: Error) => error.message);
    expect(failure).to.contain('ECONNREFUSED');
  });
});
