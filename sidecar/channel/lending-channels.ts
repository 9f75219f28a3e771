/**
 * Sockets as channels that read into the one shared buffer, so that nothing is allocated for what is received. It
 * makes them; it neither connects with TLS nor listens.
 */
import net, { type Socket } from 'node:net';
import { lendReads, readInto, SHARED } from './shared-reads.ts';
import { SocketChannel } from './socket-channel.ts';

export interface LendingSocket {
  readonly socket: Socket;
  readonly channel: SocketChannel;
}

/** Connects a socket that reads into the shared buffer. */
export function connectLending(options: net.TcpNetConnectOpts): LendingSocket {
  const callback = readInto((bytes) => channel.take(bytes));
  const socket = net.connect({ ...options, onread: { buffer: SHARED, callback } });
  // Reading begins with the receiver.
  socket.pause();
  const channel = new SocketChannel(socket, true);
  return { socket, channel };
}

/** The channel of a socket that is open. It lends where it can. */
export function acceptLending(socket: Socket): SocketChannel {
  const lends = lendReads(socket, (bytes) => channel.take(bytes));
  if (lends) socket.pause();
  const channel = new SocketChannel(socket, lends);
  return channel;
}
