import type { IncomingMessage, RequestOptions } from 'node:http';
import { Agent, request as openRequest } from 'node:http';
import { expect } from 'chai';
import { httpApp, rawApp } from '../../support/app-server.ts';
import { RawClient, say } from '../../support/raw-client.ts';
import { httpRig } from '../../support/relay-rig.ts';
import { until } from '../../support/until.ts';

interface Got {
  readonly status: number;
  readonly message: string;
  readonly body: string;
  readonly raw: IncomingMessage;
}

function ask(port: number, options: RequestOptions & { body?: string } = {}): Promise<Got> {
  const { body, ...rest } = options;
  return new Promise((resolve, reject) => {
    const call = openRequest({ port, host: '127.0.0.1', agent: false, ...rest }, async (raw) => {
      let text = '';
      for await (const part of raw) text += part;
      resolve({ status: raw.statusCode ?? 0, message: raw.statusMessage ?? '', body: text, raw });
    });
    call.on('error', reject);
    call.end(body);
  });
}

describe('HTTP relay', () => {
  it('carries method, path, status, reason and body unchanged', async () => {
    await using app = await httpApp((request, response) => {
      request.setEncoding('latin1');
      let body = '';
      request.on('data', (part) => (body += part));
      request.on('end', () => response.writeHead(207, 'Many').end(`${request.method} ${request.url} ${body}`));
    });
    await using rig = await httpRig({ to: app.port });
    const got = await ask(rig.port, { method: 'PUT', path: '//a/../b%2f?q=%20&q=2', body: 'hello' });
    expect([got.status, got.message, got.body]).to.deep.equal([207, 'Many', 'PUT //a/../b%2f?q=%20&q=2 hello']);
  });

  it('keeps order, letter case and duplicates of header fields in both directions', async () => {
    await using app = await rawApp((socket) => {
      socket.once('data', () =>
        socket.write(
          'HTTP/1.1 200 OK\r\nX-One: 1\r\nset-COOKIE: a\r\nSet-Cookie: b\r\nX-one: 2\r\nContent-Length: 0\r\n\r\n',
        ),
      );
    });
    await using rig = await httpRig({ to: app.port });
    await using client = await RawClient.connect(rig.port);
    const answer = await client
      .send('GET / HTTP/1.1\r\nB: 1\r\nhost: orders\r\na: 2\r\nB: 3\r\n\r\n')
      .until('\r\n\r\n');
    const asked = (await app.connection(0)).text;
    expect(asked).to.match(/^GET \/ HTTP\/1\.1\r\nB: 1\r\nhost: orders\r\na: 2\r\nB: 3\r\n/);
    expect(answer).to.match(
      /^HTTP\/1\.1 200 OK\r\nX-One: 1\r\nset-COOKIE: a\r\nSet-Cookie: b\r\nX-one: 2\r\nContent-Length: 0\r\n/,
    );
  });

  it('keeps connections alive on both sides', async () => {
    let opened = 0;
    await using app = await httpApp(
      (_request, response) => response.end('ok'),
      (server) => server.on('connection', () => opened++),
    );
    await using rig = await httpRig({ to: app.port });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let at = 0; at < 5; at++) expect((await ask(rig.port, { agent })).status).to.equal(200);
    agent.destroy();
    expect([opened, rig.connections.length]).to.deep.equal([1, 1]);
    expect(rig.connections[0]!.requests).to.equal(5);
  });

  it('keeps a length a length and a chunked body chunked, in both directions', async () => {
    await using app = await httpApp((request, response) => {
      request.on('end', () => {
        const { 'content-length': length, 'transfer-encoding': coding } = request.headers;
        const text = `${length} ${coding}`;
        if (request.url === '/length') response.setHeader('Content-Length', text.length);
        response.write(text);
        response.end();
      });
      request.resume();
    });
    await using rig = await httpRig({ to: app.port });
    const sized = await ask(rig.port, {
      method: 'POST',
      path: '/length',
      headers: { 'content-length': 5 },
      body: 'hello',
    });
    const chunked = await ask(rig.port, {
      method: 'POST',
      path: '/chunks',
      headers: { 'transfer-encoding': 'chunked' },
      body: 'hello',
    });
    expect([sized.body, sized.raw.headers['content-length']]).to.deep.equal(['5 undefined', '11']);
    expect([chunked.body, chunked.raw.headers['transfer-encoding']]).to.deep.equal(['undefined chunked', 'chunked']);
  });

  it('forwards a body of a method that usually has none, and none of a method that usually has one', async () => {
    await using app = await httpApp((request, response) => {
      let body = '';
      request.on('data', (part) => (body += part));
      request.on('end', () =>
        response.end(`${request.headers['content-length']} ${request.headers['transfer-encoding']} ${body}`),
      );
    });
    await using rig = await httpRig({ to: app.port });
    const chunks = { 'transfer-encoding': 'chunked' };
    expect((await ask(rig.port, { method: 'DELETE', headers: chunks, body: 'x' })).body).to.equal(
      'undefined chunked x',
    );
    expect((await ask(rig.port, { method: 'GET', headers: { 'content-length': 1 }, body: 'x' })).body).to.equal(
      '1 undefined x',
    );
    expect(await say(rig.port, 'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).to.contain('0 undefined ');
  });

  it('forwards trailers and their announcement both ways', async () => {
    await using app = await httpApp((request, response) => {
      request.on('end', () => {
        response.writeHead(200, { Trailer: 'X-Sum' });
        response.write(`${request.headers.trailer} ${request.headers.te} ${JSON.stringify(request.rawTrailers)}`);
        response.addTrailers([
          ['X-Sum', '1'],
          ['X-Sum', '2'],
        ]);
        response.end();
      });
      request.resume();
    });
    await using rig = await httpRig({ to: app.port });
    const text = await say(
      rig.port,
      'POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTrailer: X-Digest\r\nTransfer-Encoding: chunked\r\nConnection: close, TE\r\n\r\n1\r\nx\r\n0\r\nX-Digest: d\r\n\r\n',
    );
    expect(text).to.contain('X-Digest trailers ["X-Digest","d"]');
    expect(text).to.match(/Trailer: X-Sum\r\n/);
    expect(text).to.match(/\r\n0\r\nX-Sum: 1\r\nX-Sum: 2\r\n\r\n$/);
  });

  it('answers HEAD, 204 and 304 without a body and goes on using the connection', async () => {
    await using app = await httpApp((request, response) => {
      if (request.url === '/none') response.writeHead(204).end();
      else if (request.url === '/same') response.writeHead(304, { ETag: 'a', 'Content-Length': 7 }).end();
      else response.writeHead(200, { 'Content-Length': 9 }).end('nine byte');
    });
    await using rig = await httpRig({ to: app.port });
    await using client = await RawClient.connect(rig.port);
    const head = ' HTTP/1.1\r\nHost: a\r\n\r\n';
    await client.send(`HEAD /a${head}`).until(/200 OK[\s\S]*\r\n\r\n$/);
    await client.send(`GET /none${head}`).until(/204 No Content[\s\S]*\r\n\r\n$/);
    await client.send(`GET /same${head}`).until(/304 Not Modified[\s\S]*\r\n\r\n$/);
    const all = await client.send(`GET /a${head}`).until('nine byte');
    expect(all).to.match(/304 Not Modified\r\nETag: a\r\nContent-Length: 7\r\n/);
    expect(all.match(/nine byte/g)).to.have.length(1);
    expect(all.match(/HTTP\/1\.1 /g)).to.have.length(4);
  });

  it('passes on the 100 of the app, and the body only then', async () => {
    await using app = await httpApp(
      () => {},
      (server) =>
        server.on('checkContinue', (request, response) => {
          response.writeContinue();
          request.on('data', (part: Buffer) => response.end(`got ${part}`));
        }),
    );
    await using rig = await httpRig({ to: app.port });
    await using client = await RawClient.connect(rig.port);
    client.send('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n');
    expect(await client.until('\r\n\r\n')).to.equal('HTTP/1.1 100 Continue\r\n\r\n');
    expect(await client.send('hello').until('got hello')).to.match(/HTTP\/1\.1 200 OK/);
  });

  it('passes on a final answer in place of a 100 and ends the connection, because the body is uncertain', async () => {
    await using app = await httpApp(
      () => {},
      (server) => server.on('checkContinue', (_request, response) => response.writeHead(417).end('no')),
    );
    await using rig = await httpRig({ to: app.port });
    const text = await say(rig.port, 'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n');
    expect(text)
      .to.match(/^HTTP\/1\.1 417 Expectation Failed\r\n/)
      .and.match(/Connection: close/);
  });

  it('passes on other interim answers', async () => {
    await using app = await httpApp((_request, response) => {
      response.writeEarlyHints({ link: '</a.css>; rel=preload' });
      response.end('done');
    });
    await using rig = await httpRig({ to: app.port });
    const text = await say(rig.port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect(text).to.match(/^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a\.css>; rel=preload\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
    const old = await say(rig.port, 'GET / HTTP/1.0\r\nHost: a\r\n\r\n');
    expect(old).to.match(/^HTTP\/1\.1 200 OK\r\n/);
  });

  it('streams: head and pieces of either body arrive before the end of the other', async () => {
    await using app = await httpApp((request, response) => {
      response.writeHead(200);
      response.flushHeaders();
      request.on('data', (part: Buffer) => response.write(part.toString().toUpperCase()));
      request.on('end', () => response.end('!'));
    });
    await using rig = await httpRig({ to: app.port });
    await using client = await RawClient.connect(rig.port);
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n').until('200 OK');
    await client.send('1\r\na\r\n').until('1\r\nA\r\n');
    await client.send('1\r\nb\r\n').until('1\r\nB\r\n');
    expect(await client.send('0\r\n\r\n').until('0\r\n\r\n')).to.match(/1\r\n!\r\n0\r\n\r\n$/);
  });

  it('delivers an early answer whole, and the connection serves the next request after the rest of the body', async () => {
    await using app = await rawApp((socket) => {
      socket.once('data', () =>
        socket.end('HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nnope'),
      );
    });
    await using rig = await httpRig({ to: app.port });
    await using client = await RawClient.connect(rig.port);
    await client.send('POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345').until('nope');
    await client.send('67890GET /2 HTTP/1.1\r\nHost: a\r\n\r\n').until(/nope[\s\S]*nope/);
    expect((await app.connection(1)).text).to.match(/^GET \/2 /);
    expect(rig.served.map(({ status }) => status)).to.deep.equal([413, 413]);
  });

  it('answers pipelined requests one after the other, in their order', async () => {
    const order: string[] = [];
    await using app = await httpApp((request, response) => {
      order.push(`+${request.url}`);
      setImmediate(() => {
        order.push(`-${request.url}`);
        response.end(request.url);
      });
    });
    await using rig = await httpRig({ to: app.port });
    await using client = await RawClient.connect(rig.port);
    client.send(['/1', '/2', '/3'].map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''));
    expect(await client.until('\r\n/3')).to.match(/\/1[\s\S]*\/2[\s\S]*\/3/);
    expect(order).to.deep.equal(['+/1', '-/1', '+/2', '-/2', '+/3', '-/3']);
  });

  it('answers any number of requests that were sent ahead, and holds little of them meanwhile', async () => {
    let answered = 0;
    await using app = await httpApp((_request, response) => {
      answered++;
      response.writeHead(204).end();
    });
    await using rig = await httpRig({ to: app.port });
    await using client = await RawClient.connect(rig.port);
    const request = `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(2_000)}\r\n\r\n`;
    client.send(request.repeat(2_000)).send('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    await until('they are being answered', () => answered > 10);
    expect(rig.sockets[0]!.readableLength).to.be.lessThan(1 << 18);
    expect((await client.closed()).match(/ 204 No Content/g)).to.have.length(2_001);
  });

  it('serves HTTP/1.0 callers by the end of the connection', async () => {
    await using app = await httpApp((_request, response) => {
      response.write('a');
      response.end('b');
    });
    await using rig = await httpRig({ to: app.port });
    const text = await say(rig.port, 'GET / HTTP/1.0\r\nHost: a\r\n\r\n');
    expect(text)
      .to.match(/Connection: close\r\n/)
      .and.match(/\r\n\r\nab$/);
    expect(text).not.to.contain('chunked');
  });

  it('aborts the call upstream when the caller leaves, and frees everything', async () => {
    await using app = await rawApp();
    await using rig = await httpRig({ to: app.port });
    const client = await RawClient.connect(rig.port);
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const upstream = await app.connection(0);
    await upstream.until('\r\n\r\n');
    client.socket.destroy();
    await upstream.closed();
    await until('the request is told', () => rig.served[0]);
    expect(rig.served[0]).to.include({ status: 0, callerLeft: true, refusal: '' });
  });

  it('cuts the caller off when the app breaks off in the middle of an answer', async () => {
    await using app = await rawApp((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345'));
    });
    await using rig = await httpRig({ to: app.port });
    await using client = await RawClient.connect(rig.port);
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.closed();
    expect(client.text).to.match(/12345$/);
    expect(client.ended, 'must not look like a regular end').to.equal(false);
    await until('the request is told', () => rig.served[0]);
    expect(rig.served[0]).to.include({ status: 200, refusal: 'app_reset' });
  });
});
