import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http2, {
  type ClientHttp2Session,
  type ClientSessionOptions,
  type Http2Server,
  type ServerHttp2Stream,
  type ServerOptions,
} from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import { expect } from 'chai';
import { systemClock } from '../../../shared/clock/clock.ts';
import { Session } from '../../../sidecar/tunnel/session.ts';
import type { ConnectRequest } from '../../../sidecar/tunnel/session-server.ts';
import { TUNNEL_LIMITS, type TunnelLimits } from '../../../sidecar/tunnel/tunnel-limits.ts';
import { refusalOf } from '../../support/refusals.ts';
import { until } from '../../support/until.ts';
import { echo, joinedSessions, Notes, type SessionNotes, sessionNotes, throughEcho } from './tunnel-rig.ts';

const LARGE = randomBytes(1 << 20);
const MAX_PADDING = http2.constants.PADDING_STRATEGY_MAX;

async function portOf(server: net.Server | Http2Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

describe('node:http2 as the client of our server', () => {
  const ends: (() => void)[] = [];
  afterEach(() => {
    for (const end of ends.splice(0)) end();
  });

  async function connected(
    limits: Partial<TunnelLimits> = {},
    options: ClientSessionOptions = {},
    onConnect: (request: ConnectRequest) => void = (request) => echo(request.accept()),
  ): Promise<{ client: ClientHttp2Session; session: Session; notes: SessionNotes }> {
    const notes = sessionNotes(onConnect);
    let session: Session | undefined;
    const server = net.createServer((socket) => {
      session = new Session({
        socket,
        role: 'server',
        clock: systemClock,
        limits: { ...TUNNEL_LIMITS, ...limits },
        events: notes,
      });
    });
    const client = http2.connect(`http://127.0.0.1:${await portOf(server)}`, options);
    ends.push(() => {
      client.destroy();
      server.close();
    });
    await once(client, 'connect');
    return { client, session: await until('the session', () => session), notes };
  }

  async function throughTunnel(
    client: ClientHttp2Session,
    bytes: Buffer,
    pieceBytes: number,
    headers = {},
  ): Promise<Buffer> {
    const stream = client.request({ ':method': 'CONNECT', ':authority': 'app:80', ...headers });
    const parts: Buffer[] = [];
    stream.on('data', (part: Buffer) => parts.push(part));
    const end = once(stream, 'end');
    const [answer] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
    expect(answer[':status']).to.equal(200);
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      if (!stream.write(bytes.subarray(at, at + pieceBytes))) await once(stream, 'drain');
    }
    stream.end();
    await end;
    return Buffer.concat(parts);
  }

  const cases: [string, Partial<TunnelLimits>, ClientSessionOptions][] = [
    ['by default', {}, {}],
    [
      'with tiny windows',
      { windowBytes: 1000, windowMostBytes: 1000, connectionWindowBytes: 65_535 },
      { settings: { initialWindowSize: 777 } },
    ],
    ['with all padding', {}, { paddingStrategy: MAX_PADDING }],
    ['with large frames', { frameBytes: 1 << 20 }, { settings: { maxFrameSize: 1 << 20, initialWindowSize: 1 << 22 } }],
    ['without a header table', {}, { settings: { headerTableSize: 0 } }],
    ['with a large header table', {}, { settings: { headerTableSize: 65_536 } }],
  ];
  for (const [name, limits, options] of cases) {
    it(`carries everything both ways ${name}`, async () => {
      const { client, session, notes } = await connected(limits, options);
      expect((await throughTunnel(client, LARGE, 65_536)).equals(LARGE)).to.equal(true);
      const small = LARGE.subarray(0, 5000);
      expect((await throughTunnel(client, small, 7)).equals(small)).to.equal(true);
      const many = Array.from({ length: 10 }, async (_, at) => {
        const bytes = LARGE.subarray(at * 1000, at * 1000 + 100_000);
        return (await throughTunnel(client, bytes, 1 + at * 997)).equals(bytes);
      });
      expect(await Promise.all(many)).to.not.include(false);
      await until('all slots are free', () => session.streams === 0 || undefined);
      client.close();
      await until('the end', () => notes.closes.length || undefined);
      expect(notes.closes).to.deep.equal([undefined]);
    });
  }

  it('is understood with Huffman and the dynamic table, every octet of a value', async () => {
    const { client, notes } = await connected({ headerListBytes: 1 << 17 });
    const value = Array.from({ length: 256 }, (_, at) => at)
      .filter((at) => at > 32 && at !== 127)
      .map((at) => String.fromCharCode(at))
      .join('');
    const headers = { 'x-all': value, 'x-long': '~'.repeat(40_000) };
    for (let round = 0; round < 3; round++) await throughTunnel(client, Buffer.from('x'), 1, headers);
    for (const request of notes.requests) {
      const got = new Map(request.headers);
      expect(got.get('x-all')).to.equal(value);
      expect(got.get('x-long')).to.have.length(40_000);
    }
    expect(notes.requests).to.have.length(3);
  });

  it('may change its window to nothing and back while bytes flow', async () => {
    const { client } = await connected();
    const stream = client.request({ ':method': 'CONNECT', ':authority': 'app:80' });
    const parts: Buffer[] = [];
    stream.on('data', (part: Buffer) => parts.push(part));
    stream.write(LARGE.subarray(0, 300_000));
    for (const initialWindowSize of [0, 100_000, 0, 65_535]) {
      await new Promise((resolve) =>
        client.settings({ initialWindowSize, headerTableSize: initialWindowSize }, () => resolve(undefined)),
      );
    }
    stream.end(LARGE.subarray(300_000));
    await once(stream, 'end');
    expect(Buffer.concat(parts).equals(LARGE)).to.equal(true);
  });

  it('sees refusals, resets and GOAWAY as what they are', async () => {
    const { client, session } = await connected({}, {}, (request) => {
      if (request.authority === 'no:1') request.refuse(403);
      else echo(request.accept());
    });
    const refused = client.request({ ':method': 'CONNECT', ':authority': 'no:1' });
    const [answer] = (await once(refused, 'response')) as [http2.IncomingHttpHeaders];
    expect(answer[':status']).to.equal(403);
    refused.resume();
    await once(refused, 'close');
    expect(refused.rstCode).to.equal(0);
    const got = client.request({ ':path': '/' });
    const [notAllowed] = (await once(got, 'response')) as [http2.IncomingHttpHeaders];
    expect(notAllowed[':status']).to.equal(405);
    const open = client.request({ ':method': 'CONNECT', ':authority': 'app:80' });
    await once(open, 'response');
    const goaway = once(client, 'goaway');
    session.drain();
    expect((await goaway)[0]).to.equal(0);
    open.resume();
    open.end('last');
    await once(open, 'close');
    expect(open.rstCode).to.equal(0);
    await until('the end', () => session.isClosed || undefined);
  });
});

describe('node:http2 as the server of our client', () => {
  const ends: (() => void)[] = [];
  afterEach(() => {
    for (const end of ends.splice(0)) end();
  });

  async function connected(limits: Partial<TunnelLimits> = {}, options: ServerOptions = {}) {
    const server = http2.createServer(options);
    server.on('stream', (stream: ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => {
      stream.on('error', () => undefined); // the client has reset it: that is what some tests want
      if (headers[':authority'] === 'no:1') return stream.respond({ ':status': 503 }, { endStream: true });
      if (headers[':authority'] === 'reset:1') return stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
      stream.respond({ ':status': 200 });
      stream.on('data', (part: Buffer) => {
        if (stream.write(part)) return;
        stream.pause();
        stream.once('drain', () => stream.resume());
      });
      stream.on('end', () => stream.end());
    });
    const port = await portOf(server);
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    const notes = sessionNotes();
    const session = new Session({
      socket,
      role: 'client',
      clock: systemClock,
      limits: { ...TUNNEL_LIMITS, ...limits },
      events: notes,
    });
    ends.push(() => {
      socket.destroy();
      server.close();
    });
    return { session, notes };
  }

  const cases: [string, Partial<TunnelLimits>, ServerOptions][] = [
    ['by default', {}, {}],
    [
      'with tiny windows',
      { windowBytes: 900, windowMostBytes: 900, connectionWindowBytes: 65_535 },
      { settings: { initialWindowSize: 500 } },
    ],
    ['with all padding', {}, { paddingStrategy: MAX_PADDING }],
    ['with large frames', { frameBytes: 1 << 20 }, { settings: { maxFrameSize: 1 << 20, initialWindowSize: 1 << 22 } }],
    ['without a header table', {}, { settings: { headerTableSize: 0 } }],
    ['with few streams at once', {}, { settings: { maxConcurrentStreams: 3 } }],
  ];
  for (const [name, limits, options] of cases) {
    it(`carries everything both ways ${name}`, async () => {
      const { session, notes } = await connected(limits, options);
      expect((await throughEcho(await session.open('app:80'), LARGE, 65_536)).equals(LARGE)).to.equal(true);
      const small = LARGE.subarray(0, 5000);
      expect((await throughEcho(await session.open('app:80'), small, 7)).equals(small)).to.equal(true);
      const many = Array.from({ length: 10 }, async (_, at) => {
        const bytes = LARGE.subarray(at * 1000, at * 1000 + 100_000);
        return (await throughEcho(await session.open('app:80'), bytes, 1 + at * 997)).equals(bytes);
      });
      expect(await Promise.all(many)).to.not.include(false);
      expect(session.streams).to.equal(0);
      session.drain();
      await until('the end', () => session.isClosed || undefined);
      expect(notes.closes).to.deep.equal([undefined]);
    });
  }

  it('refuses and resets as we understand it', async () => {
    const { session } = await connected();
    expect((await refusalOf(session.open('no:1'))).code).to.equal('tunnel_refused');
    expect((await refusalOf(session.open('reset:1'))).code).to.equal('tunnel_unprocessed');
    const stream = await session.open('app:80');
    const notes = Notes.on(stream);
    stream.write(Buffer.from('hello'), false);
    await until('the echo', () => notes.text === 'hello' || undefined);
  });
});

describe('two sessions of ours', () => {
  const cases: [string, Partial<TunnelLimits>, number][] = [
    ['by default', {}, 1 << 20],
    // What a sidecar never does, and would be taken for an attack.
    [
      'with windows of one byte',
      { windowBytes: 1, windowMostBytes: 1, windowUpdates: { burst: 1e6, perSecond: 1 } },
      2000,
    ],
    ['with little in the socket', { socketBytes: 1000 }, 1 << 20],
  ];
  for (const [name, limits, size] of cases) {
    it(`carry everything both ways ${name}`, async () => {
      const rig = await joinedSessions({ limits }, { limits });
      const bytes = LARGE.subarray(0, size);
      const many = Array.from({ length: 8 }, async (_, at) =>
        (await throughEcho(await rig.client.open('a:1'), bytes, 50_000 - at * 6000)).equals(bytes),
      );
      expect(await Promise.all(many)).to.not.include(false);
      rig.client.drain();
      await until('both ends', () => (rig.client.isClosed && rig.server.isClosed) || undefined);
      expect(rig.serverNotes.closes).to.deep.equal([undefined]);
    });
  }

  it('grow the window of a stream that drains fast, and not that of a slow one', async () => {
    const rig = await joinedSessions({
      onConnect: (request) => {
        const stream = request.accept();
        const chunk = Buffer.alloc(65_536);
        const go = (): void => {
          while (stream.write(chunk, false));
        };
        stream.receiver = { onBytes() {}, onEnd() {}, onDrain: go, onClose() {} };
        go();
      },
    });
    const fast = await rig.client.open('fast:1');
    const slow = await rig.client.open('slow:1');
    slow.receiver = {
      onBytes: () => slow.pause(),
      onEnd() {},
      onDrain() {},
      onClose() {},
    };
    fast.receiver = { onBytes() {}, onEnd() {}, onDrain() {}, onClose() {} };
    await until('a large window', () => fast.window.size === TUNNEL_LIMITS.windowMostBytes || undefined);
    expect(slow.window.size).to.equal(TUNNEL_LIMITS.windowBytes);
    expect(slow.bytesRead).to.be.at.most(TUNNEL_LIMITS.windowBytes);
    rig.end();
  });
});
