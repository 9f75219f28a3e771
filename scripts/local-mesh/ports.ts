/** Ports on loopback: a run of fixed ones for people, free ones for tests. Both say clearly what is taken. */
import { createServer } from 'node:net';

/** @returns that many ports that nobody listens on now */
export async function freePorts(count: number): Promise<number[]> {
  const held = await Promise.all(Array.from({ length: count }, () => hold(0)));
  const ports = held.map(({ port }) => port);
  await Promise.all(held.map(({ release }) => release()));
  return ports;
}

/** @returns those of the ports that somebody listens on already */
export async function takenPorts(ports: readonly number[]): Promise<number[]> {
  const tried = await Promise.allSettled(ports.map((port) => hold(port).then(({ release }) => release())));
  return ports.filter((_, at) => tried[at]!.status === 'rejected');
}

function hold(port: number): Promise<{ port: number; release(): Promise<void> }> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const address = server.address() as { port: number };
      resolve({ port: address.port, release: () => new Promise((done) => server.close(() => done())) });
    });
  });
}
