/** Apps behind a relay: an HTTP server with the handler of the test, and a raw one that keeps every byte it gets. */
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import { RawClient } from './raw-client.ts';

export interface App<S> extends AsyncDisposable {
  readonly port: number;
  readonly server: S;
}

export async function httpApp(
  handler: RequestListener,
  prepare: (server: Server) => void = () => {},
): Promise<App<Server>> {
  const server = createServer(handler);
  prepare(server);
  // Upgraded sockets too, which node:http no longer knows but its close waits for.
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    server,
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

export interface RawApp extends App<net.Server> {
  /** The connection that came as the n-th, from 0; waits for it. */
  connection(at: number): Promise<RawClient>;
  readonly count: number;
}

/** @param answer called with every new connection; without it the app only listens */
export async function rawApp(answer: (socket: Socket, at: number) => void = () => {}): Promise<RawApp> {
  const connections: RawClient[] = [];
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    connections.push(new RawClient(socket));
    answer(socket, connections.length - 1);
    server.emit('counted');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    server,
    port: (server.address() as AddressInfo).port,
    get count() {
      return connections.length;
    },
    async connection(at) {
      while (!connections[at]) await once(server, 'counted');
      return connections[at];
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      for (const { socket } of connections) socket.destroy();
      await closed;
    },
  };
}
