import { expect } from 'chai';
import { httpApp, type RawApp, rawApp } from '../../support/app-server.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { RawClient, say } from '../../support/raw-client.ts';
import { CERTIFICATE_HASH, httpRig, OWN_ID, type Rig } from '../../support/relay-rig.ts';
import { until } from '../../support/until.ts';

const WEB = 'spiffe://cluster.local/ns/shop/sa/web';
const UPGRADE = 'GET //chat?x HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n';
const SWITCHED =
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-One: 1\r\nx-ONE: 2\r\n\r\n';

interface Upgraded {
  readonly client: RawClient;
  readonly upstream: RawClient;
}

async function upgraded(app: RawApp, rig: Rig): Promise<Upgraded> {
  const client = await RawClient.connect(rig.port);
  client.send(`${UPGRADE}\r\n`);
  const upstream = await app.connection(0);
  await upstream.until('\r\n\r\n');
  upstream.send(SWITCHED);
  await client.until('\r\n\r\n');
  return { client, upstream };
}

describe('upgrade', () => {
  it('carries bytes both ways, also those that come right behind the heads', async () => {
    await using app = await rawApp((socket) => socket.once('data', () => socket.write(`${SWITCHED}first words`)));
    await using rig = await httpRig({ to: app.port });
    await using client = await RawClient.connect(rig.port);
    client.send(`${UPGRADE}Sec-WebSocket-Key: k\r\n\r\nearly`);
    await client.until('first words');
    const upstream = await app.connection(0);
    await upstream.until(/\r\n\r\nearly$/);
    client.send('ping');
    await upstream.until('earlyping');
    upstream.send('pong');
    await client.until('first wordspong');
    expect(upstream.text).to.match(/^GET \/\/chat\?x HTTP\/1\.1\r\nHost: a\r\nSec-WebSocket-Key: k\r\n/);
    expect(client.text).to.match(
      /^HTTP\/1\.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-One: 1\r\nx-ONE: 2\r\n\r\n/,
    );
  });

  it('scrubs hop-by-hop and identity headers like any request, and tells the proven peer', async () => {
    await using app = await rawApp();
    await using rig = await httpRig({ to: app.port, peer: WEB });
    await using client = await RawClient.connect(rig.port);
    client.send(
      `${UPGRADE}X_Forwarded_Client_Cert: URI=evil\r\nX-Forwarded-Client-Cert: URI=evil\r\nKeep-Alive: 5\r\nProxy-Authorization: s\r\nTE: trailers\r\nX-Request-Id: id-1\r\n\r\n`,
    );
    const seen = await (await app.connection(0)).until('\r\n\r\n');
    expect(seen).not.to.match(/evil|keep-alive|proxy-auth|\r\nte:/i);
    expect(seen).to.contain(`X-Forwarded-Client-Cert: By=${OWN_ID};Hash=${CERTIFICATE_HASH};Subject="";URI=${WEB}\r\n`);
    expect(seen)
      .to.match(/\r\nX-Request-Id: id-1\r\n/)
      .and.match(/\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n$/);
  });

  it('ends one direction without ending the other', async () => {
    await using app = await rawApp();
    await using rig = await httpRig({ to: app.port });
    const { client, upstream } = await upgraded(app, rig);
    client.send('last words').end();
    await upstream.closed();
    expect(upstream.text).to.match(/last words$/);
    upstream.send('still here').end();
    expect(await client.closed()).to.match(/still here$/);
    expect(client.ended).to.equal(true);
    await until('the request is told', () => rig.served[0]);
    expect(rig.served[0]).to.include({ status: 101, method: 'GET', path: '//chat', refusal: '' });
  });

  it('a caller that leaves takes the connection upstream with it, before and after the answer', async () => {
    await using app = await rawApp();
    await using rig = await httpRig({ to: app.port });
    const early = await RawClient.connect(rig.port);
    early.send(`${UPGRADE}\r\n`);
    await (await app.connection(0)).until('\r\n\r\n');
    early.socket.resetAndDestroy();
    await (await app.connection(0)).closed();

    const late = await RawClient.connect(rig.port);
    late.send(`${UPGRADE}\r\n`);
    const upstream = await app.connection(1);
    await upstream.until('\r\n\r\n');
    upstream.send(SWITCHED);
    await late.until('\r\n\r\n');
    late.socket.resetAndDestroy();
    await upstream.closed();
    expect(upstream.ended, 'must not look like a regular end').to.equal(false);
    await until('both are told', () => rig.served.length === 2);
  });

  it('a destination that breaks takes the caller with it', async () => {
    await using app = await rawApp();
    await using rig = await httpRig({ to: app.port });
    const { client, upstream } = await upgraded(app, rig);
    upstream.socket.resetAndDestroy();
    await client.closed();
    expect(client.ended).to.equal(false);
  });

  it('an answer that is no upgrade is forwarded as the answer it is', async () => {
    await using app = await httpApp(
      () => {},
      (server) =>
        server.on('upgrade', (_request, socket) =>
          socket.end(
            'HTTP/1.1 426 Upgrade Required\r\nTransfer-Encoding: chunked\r\nUpgrade: other\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
          ),
        ),
    );
    await using rig = await httpRig({ to: app.port });
    const text = await say(rig.port, `${UPGRADE}\r\n`);
    expect(text).to.match(
      /^HTTP\/1\.1 426 Upgrade Required\r\n[\s\S]*Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n$/,
    );
    expect(text).not.to.match(/Upgrade: other/);
    await until('the request is told', () => rig.served[0]);
    expect(rig.served[0]).to.include({ status: 426, answerBytes: 3 });
  });

  it('an answer of another protocol than asked for is refused', async () => {
    await using app = await rawApp((socket) =>
      socket.once('data', () =>
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n'),
      ),
    );
    await using rig = await httpRig({ to: app.port });
    const text = await say(rig.port, `${UPGRADE}\r\n`);
    expect(text)
      .to.match(/^HTTP\/1\.1 502 [\s\S]*"code":"app_malformed"/)
      .and.not.contain('101 Switching');
    await (await app.connection(0)).closed();
  });

  it('a destination that cannot be reached is told', async () => {
    const app = await rawApp();
    const { port } = app;
    await app[Symbol.asyncDispose]();
    await using rig = await httpRig({ to: port });
    expect(await say(rig.port, `${UPGRADE}\r\n`)).to.match(/^HTTP\/1\.1 503 [\s\S]*"code":"app_unreachable"/);
    expect(rig.refused.map(({ code }) => code)).to.deep.equal(['app_unreachable']);
  });

  it('with a body is refused, whatever way the body is announced', async () => {
    await using app = await rawApp();
    await using rig = await httpRig({ to: app.port });
    for (const body of [
      'Content-Length: 5\r\n\r\nhello',
      'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    ]) {
      const text = await say(rig.port, `${UPGRADE}${body}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`);
      expect(text).to.match(/^HTTP\/1\.1 400 [\s\S]*"code":"http_upgrade_with_body"/);
      expect(text.match(/HTTP\/1\.1 /g)).to.have.length(1);
    }
    expect(app.count).to.equal(0);
  });

  it('is refused for a head that no request may have', async () => {
    await using app = await rawApp();
    await using rig = await httpRig({ to: app.port });
    const text = await say(rig.port, `${UPGRADE}Host: b\r\n\r\n`);
    expect(text).to.match(/^HTTP\/1\.1 400 [\s\S]*"code":"http_malformed"/);
    expect(app.count).to.equal(0);
  });

  it('is no upgrade behind a request that is still being answered', async () => {
    await using app = await rawApp();
    await using rig = await httpRig({ to: app.port });
    await using client = await RawClient.connect(rig.port);
    client.send(`GET /1 HTTP/1.1\r\nHost: a\r\n\r\n${UPGRADE}\r\n`);
    const upstream = await app.connection(0);
    await upstream.until('\r\n\r\n');
    upstream.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n/1');
    await client.until('/1');
    await until('the second request is forwarded', () => app.count === 2 || upstream.text.includes('//chat'));
    const second = app.count === 2 ? await app.connection(1) : upstream;
    expect(await second.until('//chat')).not.to.match(/upgrade/i);
  });

  it('moves bulk at the speed of the slower side', async () => {
    await using app = await rawApp();
    await using rig = await httpRig({ to: app.port });
    const { client, upstream } = await upgraded(app, rig);
    client.socket.pause();
    const piece = 'x'.repeat(1 << 20);
    for (let sent = 0; sent < 64; sent++) upstream.send(piece);
    await until('the way is full', () => rig.sockets[0]!.writableNeedDrain);
    expect(rig.sockets[0]!.writableLength).to.be.lessThan(1 << 20);
    client.socket.resume();
    await until('all has come', () => client.text.length >= 64 << 20);
  });

  it('ends when the identity behind it has ended and the line is quiet, or is cut after the grace', async () => {
    const clock = new FakeClock();
    await using app = await rawApp();
    await using rig = await httpRig({ to: app.port, clock, limits: { idleSeconds: 600 } });
    const { client, upstream } = await upgraded(app, rig);
    await clock.advance(5_000);
    rig.connections[0]!.retire();
    await clock.advance(5_000);
    expect(client.ended).to.equal(false);
    rig.connections[0]!.expire();
    await clock.advance(2_000);
    await Promise.all([client.closed(), upstream.closed()]);
    expect([client.ended, upstream.ended]).to.deep.equal([true, true]);
    await clock.advance(3_000);
    expect(rig.refused.map(({ code }) => code)).to.deep.equal([]);
  });
});
