import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { expect } from 'chai';
import { systemClock } from '../../../shared/clock/clock.ts';
import { Refusal } from '../../../shared/errors/refusal.ts';
import { Session } from '../../../sidecar/tunnel/session.ts';
import type { TunnelStream } from '../../../sidecar/tunnel/tunnel-stream.ts';
import { refusalOf } from '../../support/refusals.ts';
import { tool } from '../../support/tool.ts';
import { until } from '../../support/until.ts';
import { echo, Notes, type SessionNotes, sessionNotes } from './tunnel-rig.ts';

/** Debian keeps nghttpx in sbin, which a plain user's PATH may lack. */
const ENVIRONMENT = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` };

async function listening(server: net.Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function backThrough(stream: TunnelStream, bytes: Buffer, piece: number): Promise<Buffer> {
  const notes = Notes.on(stream);
  let sent = 0;
  notes.onDrain = () => {
    while (sent < bytes.length) {
      const part = bytes.subarray(sent, sent + piece);
      sent += part.length;
      if (!stream.write(part, false)) return;
    }
  };
  notes.onDrain();
  await until('everything is back', () => notes.length === bytes.length || undefined);
  stream.abort(new Refusal('draining'));
  await notes.closed();
  return notes.bytes;
}

describe('the tools of nghttp2', () => {
  const ends: (() => unknown)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0)) await end();
  });

  async function ourServer(): Promise<{ port: number; notes: SessionNotes }> {
    const notes = sessionNotes((request) => {
      if (request.authority === 'no:1') request.refuse(403);
      else echo(request.accept());
    });
    const server = net.createServer(
      (socket) => new Session({ socket, role: 'server', clock: systemClock, events: notes }),
    );
    ends.push(() => server.close());
    return { port: await listening(server), notes };
  }

  /** nghttpx as a proxy whose both sides speak HTTP/2 and CONNECT. */
  async function proxyTo(port: number): Promise<number> {
    const free = net.createServer();
    const own = await listening(free);
    free.close();
    await once(free, 'close');
    const proxy: ChildProcess = spawn(
      'nghttpx',
      [
        '--no-location-rewrite',
        '--conf=/dev/null',
        '--http2-proxy',
        `-f127.0.0.1,${own};no-tls`,
        `-b127.0.0.1,${port};;proto=h2`,
        '--workers=1',
        '-LERROR',
      ],
      { env: ENVIRONMENT, stdio: 'ignore' },
    );
    ends.push(() => {
      const gone = once(proxy, 'exit');
      proxy.kill('SIGKILL');
      return gone;
    });
    await until('nghttpx listens', async () => {
      const socket = net.connect(own, '127.0.0.1');
      await once(socket, 'connect');
      socket.destroy();
      return true;
    });
    return own;
  }

  it('nghttp is told that there is only CONNECT, and ends in order', async () => {
    const { port, notes } = await ourServer();
    const { stdout } = await tool('nghttp', ['-nv', `http://127.0.0.1:${port}/`]);
    expect(stdout).to.match(/:status: 405/);
    expect(stdout).to.match(/recv SETTINGS frame/);
    await until('the end', () => notes.closes.length || undefined);
    expect(notes.closes).to.deep.equal([undefined]);
  });

  it('nghttpx carries tunnels between our client and our server', async () => {
    const { port } = await ourServer();
    const own = await proxyTo(port);
    const socket = net.connect({ port: own, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    ends.push(() => socket.destroy());
    const session = new Session({ socket, role: 'client', clock: systemClock, events: sessionNotes() });
    const bytes = randomBytes(1 << 20);
    // nghttpx 1.52 passes bytes of a CONNECT on as they are, but not the end of one direction: each is cut at the end.
    const all = await Promise.all(
      [65_536, 1000, 77].map(async (piece) => {
        const part = bytes.subarray(0, Math.min(bytes.length, piece * 1000));
        return (await backThrough(await session.open('app:80'), part, piece)).equals(part);
      }),
    );
    expect(all).to.deep.equal([true, true, true]);
    expect(session.streams).to.equal(0);
    expect((await refusalOf(session.open('no:1'))).detail).to.equal('status 403');
  });
});
