import { expect } from 'chai';
import { systemClock } from '../../../shared/clock/clock.ts';
import { Refusal } from '../../../shared/errors/refusal.ts';
import { AppUpstream } from '../../../sidecar/relay/app-upstream.ts';
import type { UpstreamConnection } from '../../../sidecar/relay/upstream.ts';
import { rawApp } from '../../support/app-server.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { RawClient } from '../../support/raw-client.ts';
import { tcpRig } from '../../support/relay-rig.ts';
import { until } from '../../support/until.ts';

describe('TCP splice', () => {
  it('carries bytes both ways as they are, one by one and none at all', async () => {
    await using app = await rawApp();
    await using rig = await tcpRig({ to: app.port });
    await using client = await RawClient.connect(rig.port);
    const upstream = await app.connection(0);
    client.socket.write(Buffer.alloc(0));
    for (const byte of '\x00\xff\r\n') {
      client.send(byte);
      await upstream.until(byte);
    }
    upstream.send('\xfe');
    expect([await client.until('\xfe'), upstream.text]).to.deep.equal(['\xfe', '\x00\xff\r\n']);
  });

  it('lets the server speak first', async () => {
    await using app = await rawApp((socket) => socket.write('220 ready\r\n'));
    await using rig = await tcpRig({ to: app.port });
    await using client = await RawClient.connect(rig.port);
    await client.until('220 ready');
    expect((await app.connection(0)).text).to.equal('');
  });

  it('delivers what the client sent and ended before the server was there', async () => {
    await using app = await rawApp((socket) => socket.on('end', () => socket.end('got it')));
    let connect = (): void => {};
    const there = new Promise<void>((resolve) => (connect = resolve));
    const real = new AppUpstream({ host: '127.0.0.1', port: app.port, clock: new FakeClock(), connectSeconds: 5 });
    const to = { kind: 'app', address: 'x', dial: () => there.then(() => real.dial()) } as const;
    await using rig = await tcpRig({ to });
    await using client = await RawClient.connect(rig.port);
    client.send('all').end();
    await until('the client has ended', () => rig.sockets[0]?.readableLength === 3);
    connect();
    expect(await client.closed()).to.equal('got it');
    expect((await app.connection(0)).text).to.equal('all');
  });

  it('ends one direction without ending the other, whoever ends first', async () => {
    await using app = await rawApp();
    await using rig = await tcpRig({ to: app.port });
    for (const [at, first] of (['client', 'upstream'] as const).entries()) {
      await using client = await RawClient.connect(rig.port);
      const upstream = await app.connection(at);
      const [one, other] = first === 'client' ? [client, upstream] : [upstream, client];
      one.send('last').end();
      await other.closed();
      other.send('still').end();
      await one.closed();
      expect([one.text, other.text, one.ended, other.ended]).to.deep.equal(['still', 'last', true, true]);
    }
    await until('both are told', () => rig.connectionsServed.length === 2);
    expect(rig.connectionsServed[0]).to.include({ receivedBytes: 4, sentBytes: 5, refusal: '' });
  });

  it('a side that breaks breaks the other, and it does not look like an end', async () => {
    await using app = await rawApp();
    await using rig = await tcpRig({ to: app.port });
    for (const [at, first] of (['client', 'upstream'] as const).entries()) {
      await using client = await RawClient.connect(rig.port);
      const upstream = await app.connection(at);
      const [one, other] = first === 'client' ? [client, upstream] : [upstream, client];
      one.send('half');
      await other.until('half');
      one.socket.resetAndDestroy();
      await other.closed();
      expect([other.ended, (other.error as NodeJS.ErrnoException).code]).to.deep.equal([false, 'ECONNRESET']);
    }
  });

  it('stops the faster side when the slower one does not read', async () => {
    await using app = await rawApp();
    await using rig = await tcpRig({ to: app.port });
    await using client = await RawClient.connect(rig.port);
    const upstream = await app.connection(0);
    client.socket.pause();
    const piece = 'x'.repeat(1 << 20);
    for (let sent = 0; sent < 64; sent++) upstream.send(piece);
    await until('the way is full', () => rig.sockets[0]!.writableNeedDrain);
    expect(rig.sockets[0]!.writableLength).to.be.lessThan(1 << 20);
    client.socket.resume();
    await until('all has come', () => client.text.length === 64 << 20);
  });

  it('resets the client when the destination cannot be reached, with a code', async () => {
    const app = await rawApp();
    const { port } = app;
    await app[Symbol.asyncDispose]();
    await using rig = await tcpRig({ to: port });
    await using client = await RawClient.connect(rig.port);
    await client.closed();
    expect([client.ended, rig.refused.map(({ code }) => code)]).to.deep.equal([false, ['app_unreachable']]);
  });

  it('gives up dialing when the client leaves', async () => {
    let given: AbortSignal | undefined;
    const dial = (signal?: AbortSignal): Promise<UpstreamConnection> => {
      given = signal;
      return new Promise((_resolve, reject) =>
        signal?.addEventListener('abort', () => reject(new Refusal('upstream_unreachable'))),
      );
    };
    await using rig = await tcpRig({ to: { kind: 'peer', address: 'x', dial } });
    const client = await RawClient.connect(rig.port);
    await until('dialing has begun', () => given);
    client.socket.resetAndDestroy();
    await until('dialing was given up', () => given?.aborted);
    expect(rig.refused).to.deep.equal([]);
  });

  it('leaves no connection behind when the client left while it was dialed', async () => {
    await using app = await rawApp();
    const real = new AppUpstream({ host: '127.0.0.1', port: app.port, clock: systemClock, connectSeconds: 5 });
    const steps = { go: (): void => {} };
    const gone = new Promise<void>((resolve) => {
      steps.go = resolve;
    });
    const to = { kind: 'app', address: 'x', dial: () => gone.then(() => real.dial()) } as const;
    await using rig = await tcpRig({ to });
    const client = await RawClient.connect(rig.port);
    await until('it is accepted', () => rig.sockets[0]);
    client.socket.resetAndDestroy();
    await until('it has left', () => rig.sockets[0]!.destroyed);
    steps.go();
    await (await app.connection(0)).closed();
  });

  it('ends in order what has been silent for too long, with a code', async () => {
    const clock = new FakeClock();
    await using app = await rawApp();
    await using rig = await tcpRig({ to: app.port, clock, limits: { idleSeconds: 100 } });
    await using client = await RawClient.connect(rig.port);
    const upstream = await app.connection(0);
    await clock.advance(80_000);
    client.send('x');
    await upstream.until('x');
    await clock.advance(99_000);
    expect([client.ended, upstream.ended]).to.deep.equal([false, false]);
    await clock.advance(3_000);
    await Promise.all([client.closed(), upstream.closed()]);
    client.end();
    upstream.end();
    await until('it is told', () => rig.connectionsServed[0]);
    expect(rig.connectionsServed[0]).to.include({ refusal: 'connection_idle' });
    expect(rig.refused.map(({ code }) => code)).to.deep.equal(['connection_idle']);
  });

  it('is left alone while its identity nears its end, ended at a quiet moment after it, and cut after the grace', async () => {
    const clock = new FakeClock();
    await using app = await rawApp();
    await using rig = await tcpRig({ to: app.port, clock, limits: { idleSeconds: 600 } });
    await using quiet = await RawClient.connect(rig.port);
    await using busy = await RawClient.connect(rig.port);
    const upstream = await app.connection(1);
    await until('both are carried', () => rig.connections.every(({ carrier }) => carrier));
    for (const connection of rig.connections) connection.retire();
    await clock.advance(10_000);
    expect([quiet.ended, busy.ended]).to.deep.equal([false, false]);
    for (const connection of rig.connections) connection.expire();
    for (let second = 0; second < 5; second++) {
      const before = upstream.text.length;
      busy.send('x');
      await until('it has arrived', () => upstream.text.length > before);
      await clock.advance(1_000);
    }
    await quiet.closed();
    expect([quiet.ended, busy.ended]).to.deep.equal([true, false]);
    rig.connections[1]!.carrier!.cut(new Refusal('connection_expired'));
    await busy.closed();
    expect(busy.ended).to.equal(false);
  });
});
