/**
 * Peers of a real sidecar's port for tunnels: one that writes any frames behind a handshake with any certificate, and
 * an honest one, by the HTTP/2 client of Node, that shows that others are served meanwhile.
 */
import { once } from 'node:events';
import http2, { type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { RawPeer } from '../sidecar/tunnel/tunnel-rig.ts';
import { type MeshSvid, tlsTo } from './one-sidecar.ts';

const ALPN = { ALPNProtocols: ['h2'] };
const WITHIN_MS = 10_000;

/** Behind the handshake, and silent: `greet` begins HTTP/2. */
export async function framePeer(port: number, svid: MeshSvid): Promise<RawPeer & AsyncDisposable> {
  const socket = tlsTo(port, svid, ALPN);
  const peer = new RawPeer(socket, 'server');
  await once(socket, 'secureConnect');
  return Object.assign(peer, { [Symbol.asyncDispose]: () => gone(socket) });
}

/** What a peer sees that presents this: every byte that came to it, until it was closed. */
export async function bytesFor(
  port: number,
  svid: MeshSvid | undefined,
  options: ConnectionOptions = ALPN,
): Promise<Buffer> {
  const socket = tlsTo(port, svid, options);
  const parts: Buffer[] = [];
  socket.on('data', (part: Buffer) => parts.push(part));
  socket.on('error', () => socket.destroy()); // how it is told is judged by what came
  await new Promise((resolve) => socket.once('close', resolve));
  return Buffer.concat(parts);
}

async function gone(socket: TLSSocket): Promise<void> {
  if (socket.destroyed) return;
  const closed = once(socket, 'close');
  socket.destroy();
  await closed;
}

export class HonestPeer implements AsyncDisposable {
  readonly session: ClientHttp2Session;
  readonly #authority: string;

  private constructor(session: ClientHttp2Session, app: number) {
    this.session = session;
    this.#authority = `127.0.0.1:${app}`;
  }

  static async connect(port: number, svid: MeshSvid, app: number): Promise<HonestPeer> {
    const socket = tlsTo(port, svid, ALPN);
    await once(socket, 'secureConnect');
    const session = http2.connect('https://sidecar', { createConnection: () => socket });
    session.on('error', () => session.destroy()); // its streams tell
    return new HonestPeer(session, app);
  }

  /** A tunnel. */
  async open(authority = this.#authority): Promise<ClientHttp2Stream> {
    const stream = this.session.request({ ':method': 'CONNECT', ':authority': authority });
    stream.on('error', () => {}); // `close` follows
    const [headers] = (await Promise.race([once(stream, 'response'), closedBefore(stream)])) as [
      http2.IncomingHttpHeaders,
    ];
    if (Number(headers[':status']) !== 200) throw new Error(`status ${headers[':status']}`);
    return stream;
  }

  /** One request over a tunnel of its own. @returns the answer, to its end */
  async ask(path = '/'): Promise<string> {
    const stream = await this.open();
    let text = '';
    stream.setEncoding('latin1').on('data', (part: string) => {
      text += part;
    });
    stream.on('end', () => stream.end());
    stream.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`, 'latin1');
    const timer = setTimeout(() => stream.destroy(new Error('no answer in time')), WITHIN_MS);
    await once(stream, 'close');
    clearTimeout(timer);
    return text;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.session.destroyed) return;
    const closed = once(this.session, 'close');
    this.session.destroy();
    await closed;
  }
}

async function closedBefore(stream: ClientHttp2Stream): Promise<never> {
  await once(stream, 'close');
  throw new Error(`closed before an answer, with code ${stream.rstCode}`);
}
