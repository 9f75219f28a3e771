/**
 * Promise: a TCP protocol through two sidecars is that TCP protocol: the server may speak first, either side may end
 * its half and go on reading, every byte arrives in order, and what breaks never looks as if it had ended.
 * Real parts: dev issuer, citadel and two sidecars as processes; the test is both apps.
 */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { expect } from 'chai';
import { type RawApp, rawApp } from '../support/app-server.ts';
import { startMesh, type TestMesh } from '../support/mesh.ts';
import { RawClient } from '../support/raw-client.ts';

describe('TCP through two sidecars', () => {
  let app: RawApp;
  let mesh: TestMesh;
  let port: number;

  before(async function () {
    this.timeout(60_000);
    app = await rawApp();
    mesh = await startMesh({
      services: [
        { name: 'ledger', protocol: 'tcp', appPort: app.port },
        { name: 'teller', protocol: 'tcp', next: 'ledger', appPort: app.port },
      ],
    });
    port = mesh.service('teller').plan.outbound['ledger']!;
  });
  after(async () => {
    await mesh?.[Symbol.asyncDispose]();
    await app?.[Symbol.asyncDispose]();
  });

  /** Both ends of one connection. */
  async function pair(): Promise<AsyncDisposable & { client: RawClient; server: RawClient }> {
    const at = app.count;
    const client = await RawClient.connect(port);
    const server = await app.connection(at);
    return {
      client,
      server,
      async [Symbol.asyncDispose]() {
        await client[Symbol.asyncDispose]();
        await server[Symbol.asyncDispose]();
      },
    };
  }

  it('lets the server speak first', async () => {
    await using both = await pair();
    both.server.send('220 ready\r\n');
    expect(await both.client.until('ready')).to.equal('220 ready\r\n');
  });

  it('lets the client end its half and read on', async () => {
    await using both = await pair();
    both.client.send('question').end();
    expect(await both.server.closed()).to.equal('question');
    both.server.send('answer').end();
    expect(await both.client.closed()).to.equal('answer');
    expect([both.client.error, both.server.error]).to.deep.equal([undefined, undefined]);
  });

  it('lets the server end its half and read on', async () => {
    await using both = await pair();
    both.server.send('all I have').end();
    expect(await both.client.closed()).to.equal('all I have');
    both.client.send('still here').end();
    expect(await both.server.closed()).to.equal('still here');
  });

  it('keeps single bytes in order both ways', async () => {
    await using both = await pair();
    const text = Array.from({ length: 2_000 }, (_, at) => String.fromCharCode(33 + (at % 90))).join('');
    for (const byte of text) {
      both.client.send(byte);
      both.server.send(byte);
    }
    both.client.end();
    both.server.end();
    expect(await both.server.closed()).to.equal(text);
    expect(await both.client.closed()).to.equal(text);
  });

  it('delivers 64 MiB each way at the same time intact', async function () {
    this.timeout(30_000);
    const accepted = once(app.server, 'connection') as Promise<[net.Socket]>;
    const client = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const [server] = await accepted;
    const results = await Promise.all([exchange(client), exchange(server)]);
    expect(results[0]!.received).to.equal(results[1]!.sent);
    expect(results[1]!.received).to.equal(results[0]!.sent);
  });

  it('does not let a client that breaks off look as if it had ended', async () => {
    await using both = await pair();
    both.server.send('go');
    await both.client.until('go');
    both.client.socket.resetAndDestroy();
    await both.server.closed();
    expect([both.server.ended, (both.server.error as NodeJS.ErrnoException)?.code]).to.deep.equal([
      false,
      'ECONNRESET',
    ]);
  });

  it('does not let a server that breaks off look as if it had ended', async () => {
    await using both = await pair();
    both.client.send('go');
    await both.server.until('go');
    both.server.socket.resetAndDestroy();
    await both.client.closed();
    expect([both.client.ended, (both.client.error as NodeJS.ErrnoException)?.code]).to.deep.equal([
      false,
      'ECONNRESET',
    ]);
  });
});

/** Sends 64 random MiB and its end, reads to the other's end. @returns checksums */
async function exchange(socket: net.Socket): Promise<{ sent: string; received: string }> {
  const [sent, received] = [createHash('sha256'), createHash('sha256')];
  socket.on('data', (part: Buffer) => received.update(part));
  const ended = once(socket, 'end');
  for (let pieces = 0; pieces < 64; pieces++) {
    const piece = randomBytes(1 << 20);
    sent.update(piece);
    if (!socket.write(piece)) await once(socket, 'drain');
  }
  socket.end();
  await ended;
  return { sent: sent.digest('hex'), received: received.digest('hex') };
}
