/** Two ends of one connection over real sockets, plain and mutual TLS: one as a channel, the other as a test sees it. */
import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import { acceptLending, connectLending } from '../../sidecar/channel/lending-channels.ts';
import { SocketChannel } from '../../sidecar/channel/socket-channel.ts';
import { RawClient } from './raw-client.ts';
import { createTestAuthority } from './test-authority.ts';
import { connectAs, startServer, storeOf } from './tls-peers.ts';

export interface SocketPair extends AsyncDisposable {
  readonly channel: SocketChannel;
  readonly socket: Socket;
  readonly other: RawClient;
  /** Breaks the connection from the other end. */
  reset(): void;
}

/** `accepted`: lends what it reads too, but by a way that Node has no name for. */
export const KINDS = ['plain', 'lending', 'accepted', 'TLS', 'lending TLS'] as const;

export const LENDING: ReadonlySet<(typeof KINDS)[number]> = new Set(['lending', 'accepted', 'lending TLS']);

export function socketPair(kind: (typeof KINDS)[number]): Promise<SocketPair> {
  if (kind === 'TLS' || kind === 'lending TLS') return tlsPair(kind === 'lending TLS');
  return kind === 'accepted' ? acceptedPair() : plainPair(kind === 'lending');
}

async function plainPair(lends: boolean): Promise<SocketPair> {
  const server = net.createServer({ allowHalfOpen: true, noDelay: true });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const options = { port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true };
  const { socket, channel } = lends ? connectLending(options) : plain(net.connect(options));
  await once(socket, 'connect');
  const other = new RawClient((await accepted)[0]);
  server.close();
  return pairOf(socket, channel, other, other.socket);
}

async function acceptedPair(): Promise<SocketPair> {
  const server = net.createServer({ allowHalfOpen: true, noDelay: true });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  // As a listener does it: at once, before a byte can have been read.
  const accepted = new Promise<{ socket: Socket; channel: SocketChannel }>((resolve) =>
    server.once('connection', (socket) => resolve({ socket, channel: acceptLending(socket) })),
  );
  const { port } = server.address() as AddressInfo;
  const other = new RawClient(net.connect({ port, host: '127.0.0.1', allowHalfOpen: true }));
  const { socket, channel } = await accepted;
  server.close();
  return pairOf(socket, channel, other, other.socket);
}

function plain(socket: Socket): { readonly socket: Socket; readonly channel: SocketChannel } {
  return { socket, channel: new SocketChannel(socket) };
}

async function tlsPair(lends: boolean): Promise<SocketPair> {
  const authority = createTestAuthority({ trustDomain: 'cluster.local' });
  const server = await startServer(storeOf(authority));
  const admitted = server.admitted();
  const transport = net.connect({ port: server.port, host: '127.0.0.1' });
  const client = connectAs(server.port, authority, authority.svid({}), { socket: transport });
  client.allowHalfOpen = true;
  const { socket } = await admitted;
  const channel = lends ? acceptLending(socket) : new SocketChannel(socket);
  const pair = pairOf(socket, channel, new RawClient(client), transport);
  return {
    ...pair,
    async [Symbol.asyncDispose]() {
      await pair[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

function pairOf(socket: Socket, channel: SocketChannel, other: RawClient, transport: Socket): SocketPair {
  return {
    socket,
    channel,
    other,
    reset: () => void transport.resetAndDestroy(),
    async [Symbol.asyncDispose]() {
      socket.destroy();
      await other[Symbol.asyncDispose]();
    },
  };
}
