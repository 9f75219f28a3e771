import type { Socket } from 'node:net';
import { expect } from 'chai';
import { Refusal } from '../../../shared/errors/refusal.ts';
import { rawApp } from '../../support/app-server.ts';
import { RawClient, say } from '../../support/raw-client.ts';
import { httpRig } from '../../support/relay-rig.ts';
import { until } from '../../support/until.ts';

const GET = 'GET /a?secret=1 HTTP/1.1\r\nHost: a\r\n\r\n';
const ONCE = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

/** What an app may answer that is no valid answer. */
const MALFORMED: Readonly<Record<string, string>> = {
  'another protocol': 'SSH-2.0-OpenSSH\r\n',
  'both lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx',
  'a coding of its own': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
  'a status that is none': 'HTTP/1.1 099 What\r\nContent-Length: 0\r\n\r\n',
  'another protocol than HTTP unasked': 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
  'a header without end': `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(20_000)}`,
};

describe('a destination that fails', () => {
  it('and cannot be reached is told with a code in body, header, log and count', async () => {
    const app = await rawApp();
    const { port } = app;
    await app[Symbol.asyncDispose]();
    await using rig = await httpRig({ to: port });
    const text = await say(rig.port, ONCE);
    expect(text).to.match(/^HTTP\/1\.1 503 Service Unavailable\r\n/);
    expect(text)
      .to.match(/\r\nX-Sallyport-Refusal: app_unreachable\r\n/)
      .and.match(/"status":503,"code":"app_unreachable"/);
    expect(rig.refused.map(({ code }) => code)).to.deep.equal(['app_unreachable']);
    await until('the request is told', () => rig.served[0]);
    expect(rig.served[0]).to.include({ status: 503, refusal: 'app_unreachable', path: '/' });
  });

  it('and does not take the connection away from the caller, who may try again on it', async () => {
    const app = await rawApp();
    const { port } = app;
    await app[Symbol.asyncDispose]();
    await using rig = await httpRig({ to: port });
    await using client = await RawClient.connect(rig.port);
    await client.send(GET).until('"app_unreachable"');
    expect(await client.send(GET).until(/503[\s\S]*503/)).not.to.match(/Connection: close/);
  });

  it('keeps its own status when that is one of a gateway, and gives 502 otherwise, except to whom the other side forbids it', async () => {
    for (const [code, status] of [
      ['identity_missing', 503],
      ['upstream_timeout', 504],
      ['peer_identity_unexpected', 502],
      ['tunnel_forbidden', 403],
    ] as const) {
      const to = {
        kind: 'peer',
        address: 'x',
        dial: () => Promise.reject(new Refusal(code, 'secret detail')),
      } as const;
      await using rig = await httpRig({ to });
      const text = await say(rig.port, ONCE);
      expect(text)
        .to.match(new RegExp(`^HTTP/1\\.1 ${status} `))
        .and.contain(`"code":"${code}"`);
      expect(text).not.to.contain('secret');
    }
  });

  it('and closes instead of answering is a reset, and a new connection is not tried again', async () => {
    await using app = await rawApp((socket) => socket.once('data', () => socket.end()));
    await using rig = await httpRig({ to: app.port });
    expect(await say(rig.port, ONCE)).to.match(/^HTTP\/1\.1 502 Bad Gateway\r\n[\s\S]*"code":"app_reset"/);
    expect(app.count).to.equal(1);
  });

  for (const [what, answer] of Object.entries(MALFORMED)) {
    it(`and answers ${what} is refused`, async () => {
      await using app = await rawApp((socket) => socket.once('data', () => socket.end(answer)));
      await using rig = await httpRig({ to: app.port });
      const text = await say(rig.port, ONCE);
      expect(text).to.match(/^HTTP\/1\.1 502 Bad Gateway\r\n[\s\S]*"code":"app_malformed"/);
      expect(text.match(/HTTP\/1\.1 /g)).to.have.length(1);
    });
  }

  it('and breaks its chunks in the middle cuts the caller off', async () => {
    await using app = await rawApp((socket) =>
      socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n')),
    );
    await using rig = await httpRig({ to: app.port });
    await using client = await RawClient.connect(rig.port);
    await client.send(GET).until('1\r\nx\r\n');
    (await app.connection(0)).send('zz\r\n');
    const text = await client.closed();
    expect(text).to.match(/\r\n1\r\nx\r\n$/);
    expect(client.ended).to.equal(false);
  });
});

/** Answers the first request of a connection, and closes it when the second one arrives. */
function closesWhenReused(socket: Socket): void {
  let requests = 0;
  socket.on('data', () => {
    if (++requests > 1) socket.resetAndDestroy();
    else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  });
}

describe('a kept connection that closes at the moment it is used again', () => {
  it('is not noticed by a caller whose request can be repeated', async () => {
    await using app = await rawApp(closesWhenReused);
    await using rig = await httpRig({ to: app.port });
    await using client = await RawClient.connect(rig.port);
    await client.send(GET).until('ok');
    expect(await client.send(GET).until(/ok[\s\S]*ok/)).to.match(/200 OK[\s\S]*200 OK/);
    expect(app.count).to.equal(2);
    expect(rig.refused).to.deep.equal([]);
  });

  it('is told to a caller whose request could do something twice', async () => {
    for (const request of [
      'POST / HTTP/1.1\r\nHost: a\r\n\r\n',
      'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx',
    ]) {
      await using app = await rawApp(closesWhenReused);
      await using rig = await httpRig({ to: app.port });
      await using client = await RawClient.connect(rig.port);
      await client.send(GET).until('ok');
      expect(await client.send(request).until('app_reset')).to.match(/502 Bad Gateway/);
      expect(app.count).to.equal(1);
    }
  });

  it('is repeated once only, on a new connection', async () => {
    let requests = 0;
    await using app = await rawApp((socket) =>
      socket.on('data', () => {
        if (++requests === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        else socket.resetAndDestroy();
      }),
    );
    await using rig = await httpRig({ to: app.port });
    await using client = await RawClient.connect(rig.port);
    await client.send(GET).until('ok');
    await client.send(GET).until('app_reset');
    expect([app.count, requests]).to.deep.equal([2, 3]);
  });

  it('is not repeated once anything of an answer was heard', async () => {
    let requests = 0;
    await using app = await rawApp((socket) =>
      socket.on('data', () => {
        if (++requests === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        else socket.write('HTTP/1.1 103 Early Hints\r\n\r\n', () => socket.resetAndDestroy());
      }),
    );
    await using rig = await httpRig({ to: app.port });
    await using client = await RawClient.connect(rig.port);
    await client.send(GET).until('ok');
    await client.send(GET).until(/103 Early Hints|app_reset/);
    await client.until('app_reset');
    expect(app.count).to.equal(1);
  });

  it('leaves no poisoned answer for the next request', async () => {
    await using app = await rawApp((socket) =>
      socket.on('data', () =>
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'),
      ),
    );
    await using rig = await httpRig({ to: app.port });
    await using client = await RawClient.connect(rig.port);
    await client.send(GET).until('ok');
    await client.send(GET).until(/ok[\s\S]*ok|evil|502/);
    expect(client.text).not.to.contain('evil');
  });
});
