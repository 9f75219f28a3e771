import { expect } from 'chai';
import { httpApp, rawApp } from '../../support/app-server.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { RawClient } from '../../support/raw-client.ts';
import { httpRig } from '../../support/relay-rig.ts';
import { until } from '../../support/until.ts';

describe('limits of HTTP connections', () => {
  it('a head that does not arrive in time is refused', async () => {
    await using app = await rawApp();
    await using rig = await httpRig({ to: app.port, limits: { headerSeconds: 0.1 } });
    await using slow = await RawClient.connect(rig.port);
    expect(await slow.send('GET / HTTP/1.1\r\nHost: a\r\n').closed()).to.match(
      /^HTTP\/1\.1 408 [\s\S]*"code":"http_request_timeout"/,
    );
    await using silent = await RawClient.connect(rig.port);
    expect(await silent.closed()).to.match(/^HTTP\/1\.1 408 /);
    expect(app.count).to.equal(0);
  });

  it('also the head of a later request', async () => {
    await using app = await httpApp((_request, response) => response.end('ok'));
    await using rig = await httpRig({ to: app.port, limits: { headerSeconds: 0.1 } });
    await using client = await RawClient.connect(rig.port);
    await client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n').until('ok');
    expect(await client.send('GET / HT').closed()).to.match(/ok\r\n0\r\n\r\nHTTP\/1\.1 408 |okHTTP\/1\.1 408 /);
  });

  it('a body that stalls is refused, and the app sees the request end', async () => {
    const clock = new FakeClock();
    await using app = await rawApp();
    await using rig = await httpRig({ to: app.port, clock, limits: { bodyIdleSeconds: 20, idleSeconds: 100 } });
    await using client = await RawClient.connect(rig.port);
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345');
    const upstream = await app.connection(0);
    await upstream.until('12345');
    await clock.advance(19_000);
    client.send('6');
    await upstream.until('123456');
    await clock.advance(19_000);
    expect(client.text).to.equal('');
    await clock.advance(3_000);
    expect(await client.closed()).to.match(/^HTTP\/1\.1 408 [\s\S]*"code":"http_request_timeout"/);
    await upstream.closed();
    expect(upstream.text).to.match(/123456$/);
  });

  it('a body that waits for the app is not the fault of the caller', async () => {
    const clock = new FakeClock();
    await using app = await rawApp((socket) => socket.pause());
    await using rig = await httpRig({ to: app.port, clock, limits: { bodyIdleSeconds: 20, idleSeconds: 100 } });
    await using client = await RawClient.connect(rig.port);
    const size = 64 << 20;
    client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n${'x'.repeat(32 << 20)}`);
    await until('the way is full', () => client.socket.writableLength > 0 && rig.sockets[0]!.isPaused());
    await clock.advance(30_000);
    expect(client.text).to.equal('');
    await clock.advance(72_000);
    expect(rig.refused.map(({ code }) => code)).to.deep.equal(['answer_timeout']);
  });

  it('an app that never answers is given up', async () => {
    const clock = new FakeClock();
    await using app = await rawApp();
    await using rig = await httpRig({ to: app.port, clock, limits: { idleSeconds: 100 } });
    await using client = await RawClient.connect(rig.port);
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const upstream = await app.connection(0);
    await upstream.until('\r\n\r\n');
    await clock.advance(98_000);
    expect(client.text).to.equal('');
    await clock.advance(4_000);
    expect(await client.until('answer_timeout')).to.match(/^HTTP\/1\.1 504 /);
    await upstream.closed();
  });

  it('an idle connection is closed in order', async () => {
    await using app = await httpApp((_request, response) => response.end('ok'));
    await using rig = await httpRig({ to: app.port, limits: { idleSeconds: 0.1 } });
    await using client = await RawClient.connect(rig.port);
    const text = await client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n').closed();
    expect([text.match(/HTTP\/1\.1 /g)?.length, client.ended]).to.deep.equal([1, true]);
    expect(rig.refused).to.deep.equal([]);
  });

  it('an answer that the caller does not read holds little memory and stops the app', async () => {
    let written = 0;
    await using app = await httpApp((_request, response) => {
      const piece = Buffer.alloc(65_536);
      const more = (): void => {
        while (written < 256 << 20) {
          written += piece.length;
          if (!response.write(piece)) return void response.once('drain', more);
        }
      };
      more();
    });
    await using rig = await httpRig({ to: app.port });
    await using client = await RawClient.connect(rig.port);
    client.socket.pause();
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    let before = -1;
    await until('the flow stands still', () => {
      const still = before === written && written > 0;
      before = written;
      return still;
    });
    // Kernel buffers of two loopback connections, and a few pieces in the streams.
    expect(written).to.be.lessThan(48 << 20);
    expect(rig.sockets[0]!.writableLength).to.be.lessThan(1 << 20);
  });

  it('two thousand idle connections do not hinder another one', async () => {
    await using app = await httpApp((_request, response) => response.end('ok'));
    await using rig = await httpRig({ to: app.port, limits: { headerSeconds: 60 } });
    const idle = await Promise.all(Array.from({ length: 2000 }, () => RawClient.connect(rig.port)));
    await using client = await RawClient.connect(rig.port);
    const start = performance.now();
    await client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n').until('ok');
    expect(performance.now() - start).to.be.lessThan(1000);
    for (const one of idle) one.socket.destroy();
  });
});
