/**
 * A port with `unsafePlaintext` takes both kinds of callers, loses no byte of either, names nobody who has proved
 * nothing, and is bounded as a port of mutual TLS alone is. Without the setting it takes no plaintext at all.
 */
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { expect } from 'chai';
import type { RelayProtocol } from '../../../sidecar/relay/relay.ts';
import { httpApp, rawApp } from '../../support/app-server.ts';
import { type Gate, type GateOptions, ORDERS, openInbound, WEB } from '../../support/gates.ts';
import { RawClient } from '../../support/raw-client.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { storeOf } from '../../support/tls-peers.ts';
import { until } from '../../support/until.ts';

const authority = createTestAuthority({ trustDomain: 'cluster.local' });
const stranger = createTestAuthority({ trustDomain: 'cluster.local' });
const web = storeOf(authority, { uri: WEB });
const orders = storeOf(authority, { uri: ORDERS });
const ONCE = 'GET /a HTTP/1.1\r\nHost: orders\r\nConnection: close\r\n';
/** The process may open as many as two connections need. */
const FILES_OF_TWO = 52;
const SPOOFED = `X-Forwarded-Client-Cert: By=${ORDERS};URI=${WEB}\r\n`;

const open = (app: number, protocol: RelayProtocol, change: Partial<GateOptions> = {}): Promise<Gate> =>
  openInbound(app, { store: orders, protocol, unsafePlaintext: true, ...change });

function options(store = web, ca = authority.rootPem): tls.ConnectionOptions {
  const { chainPem, keyPem } = store.identity!;
  return { cert: chainPem, key: keyPem, ca, checkServerIdentity: () => undefined };
}

async function overTls(port: number, over: Partial<tls.ConnectionOptions> = {}): Promise<RawClient> {
  const socket = tls.connect({ port, host: '127.0.0.1', ...options(), ...over });
  socket.allowHalfOpen = true;
  const client = new RawClient(socket);
  await once(socket, 'secureConnect');
  return client;
}

/** A way to the port on which the first 32 bytes come in parts of so many. */
async function inParts(port: number, part: number): Promise<net.Server> {
  const server = net.createServer({ allowHalfOpen: true }, (client) => {
    const onward = net.connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    onward.pipe(client);
    for (const socket of [client, onward]) socket.on('error', () => {});
    void passOn(client, onward, part);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return server;
}

async function passOn(client: net.Socket, onward: net.Socket, part: number): Promise<void> {
  let sent = 0;
  // Its other direction goes on after the end.
  for await (const bytes of client.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    for (let at = 0; at < bytes.length; ) {
      const length = sent < 32 ? part : bytes.length;
      onward.write(bytes.subarray(at, at + length));
      at += length;
      sent += length;
      // Each is a segment of its own.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  onward.end();
}

describe('a port that takes plaintext too', () => {
  it('names the caller that proved itself, and nobody for one that did not, whatever it claims', async () => {
    await using app = await httpApp((request, response) => {
      response.end(JSON.stringify(request.headers['x-forwarded-client-cert'] ?? 'nobody'));
    });
    await using gate = await open(app.port, 'http');
    await using proven = await overTls(gate.port);
    expect(await proven.send(`${ONCE}\r\n`).closed()).to.include(`URI=${WEB}`);
    await using plain = await RawClient.connect(gate.port);
    expect(await plain.send(`${ONCE}${SPOOFED}\r\n`).closed())
      .to.include('"nobody"')
      .and.not.to.include(WEB);
    await until('both are counted', () => gate.traffic.requests.samples().length === 2);
    const security = gate.traffic.requests.samples().map(({ labels }) => labels['connection_security_policy']);
    expect(security.toSorted()).to.deep.equal(['mutual_tls', 'none']);
    expect(gate.handshakes).to.deep.equal(['ok']);
  });

  for (const part of [1, 2, 3, 5, 6, 7]) {
    it(`loses nothing of TLS that comes in parts of ${part}`, async () => {
      await using app = await rawApp();
      await using gate = await open(app.port, 'tcp');
      const server = await inParts(gate.port, part);
      await using client = await overTls((server.address() as net.AddressInfo).port);
      client.send('hello').end();
      const heard = await app.connection(0);
      await heard.until('hello');
      expect(gate.registry.list().map(({ leg, peer }) => [leg, peer])).to.deep.equal([['mtls', WEB]]);
      heard.send('you too').end();
      expect(await client.closed()).to.equal('you too');
      server.close();
    });

    it(`loses nothing of plaintext that comes in parts of ${part}, with or without an end behind it`, async () => {
      await using app = await rawApp();
      await using gate = await open(app.port, 'tcp');
      const server = await inParts(gate.port, part);
      const { port } = server.address() as net.AddressInfo;
      // The last two begin as TLS does.
      for (const [at, text] of [
        'a',
        'GET / HTTP/1.1\r\n',
        '\x16 is no TLS',
        '\x16\x03\x01\0\x02\x02 nor this',
      ].entries()) {
        await using client = await RawClient.connect(port);
        client.send(text).end();
        expect(await (await app.connection(at)).closed()).to.equal(text);
      }
      expect(gate.handshakes).to.deep.equal([]);
      server.close();
    });
  }

  it('lets a server speak first to a caller that is silent', async () => {
    await using app = await rawApp((socket) => socket.write('220 ready\r\n'));
    await using gate = await open(app.port, 'tcp', { limits: { detectMs: 30 } });
    await using client = await RawClient.connect(gate.port);
    expect(await client.until('\r\n')).to.equal('220 ready\r\n');
    expect(gate.registry.list().map(({ leg }) => leg)).to.deep.equal(['plain']);
  });

  it('refuses TLS of a stranger and TLS without a certificate: neither becomes plaintext', async () => {
    await using app = await rawApp();
    await using gate = await open(app.port, 'tcp');
    const other = storeOf(stranger, { uri: WEB });
    for (const over of [options(other), { cert: undefined, key: undefined }]) {
      const socket = tls.connect({ port: gate.port, host: '127.0.0.1', ...options(), ...over });
      socket.on('error', () => {});
      await once(socket, 'close');
    }
    await until('both are refused', () => gate.refused.length === 2);
    expect([gate.refused.toSorted(), app.count]).to.deep.equal([['peer_certificate_missing', 'peer_untrusted'], 0]);
  });

  it('leaves half a beginning of TLS to the limit of handshakes', async () => {
    await using app = await rawApp();
    await using gate = await open(app.port, 'tcp', { limits: { detectMs: 20, handshakeSeconds: 0.2 } });
    await using client = await RawClient.connect(gate.port);
    client.send('\x16\x03\x01');
    await client.closed();
    await until('it is refused', () => gate.refused.length > 0);
    expect([gate.refused, app.count]).to.deep.equal([['peer_handshake_timeout'], 0]);
  });

  it('bounds those who say nothing, by number and by time', async () => {
    await using app = await httpApp((_request, response) => response.end('ok'));
    await using gate = await open(app.port, 'http', {
      limits: { connections: 3, detectMs: 50, headerSeconds: 0.1 },
    });
    const crowd = await Promise.all(Array.from({ length: 3 }, () => RawClient.connect(gate.port)));
    await using late = await RawClient.connect(gate.port);
    await late.closed();
    expect(gate.refused).to.deep.equal(['connection_limit']);
    for (const client of crowd) expect(await client.closed()).to.include('408');
    for (const client of crowd) await client[Symbol.asyncDispose]();
    await until('there is room again', async () => {
      await using client = await RawClient.connect(gate.port);
      return (await client.send(`${ONCE}\r\n`).closed()).includes('200 OK');
    });
  });

  it('ends those who have said nothing when it drains', async () => {
    await using app = await rawApp();
    await using gate = await open(app.port, 'tcp', { limits: { detectMs: 60_000 }, openFiles: FILES_OF_TWO });
    await using quiet = await RawClient.connect(gate.port);
    await using half = await RawClient.connect(gate.port);
    half.send('\x16');
    await until('both are there', () => gate.registry.files.full);
    gate.listener.drain();
    await quiet.closed();
    await half.closed();
    expect(app.count).to.equal(0);
  });

  for (const leave of ['end', 'resetAndDestroy', 'destroy'] as const) {
    it(`forgets those who leave before they say anything, by ${leave}`, async () => {
      await using app = await rawApp();
      await using gate = await open(app.port, 'tcp', { limits: { detectMs: 60_000 }, openFiles: FILES_OF_TWO });
      await using one = await RawClient.connect(gate.port);
      await using other = await RawClient.connect(gate.port);
      await until('both are there', () => gate.registry.files.full);
      for (const { socket } of [one, other]) socket[leave]();
      await until('both are forgotten', () => !gate.registry.files.full);
      expect([app.count, gate.refused]).to.deep.equal([0, []]);
    });
  }
});

describe('a port that takes no plaintext', () => {
  for (const text of [`${ONCE}${SPOOFED}\r\n`, '*1\r\n$4\r\nPING\r\n', 'x']) {
    it(`refuses what begins with ${JSON.stringify(text.slice(0, 4))}, and the app hears nothing`, async () => {
      await using app = await rawApp();
      await using gate = await openInbound(app.port, {
        store: orders,
        protocol: 'auto',
        limits: { handshakeSeconds: 0.2 },
      });
      await using client = await RawClient.connect(gate.port);
      await client.send(text).closed();
      await until('it is refused', () => gate.refused.length > 0);
      expect([gate.refused[0], app.count]).to.deep.equal([
        text.length > 4 ? 'peer_plaintext' : 'peer_handshake_timeout',
        0,
      ]);
    });
  }
});
