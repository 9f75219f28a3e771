/** Connections of an app that were used once and are idle now: what they cost is memory. */
import { once } from 'node:events';
import net, { type Socket } from 'node:net';

const AT_A_TIME = 16;

export class HeldConnections implements Disposable {
  readonly #port: number;
  readonly #sockets: Socket[] = [];

  constructor(port: number) {
    this.#port = port;
  }

  /** Opens more until there are that many; on each, one request has been answered. */
  async growTo(count: number): Promise<void> {
    while (this.#sockets.length < count) {
      const more = Math.min(AT_A_TIME, count - this.#sockets.length);
      this.#sockets.push(...(await Promise.all(Array.from({ length: more }, () => used(this.#port)))));
    }
    const closed = this.#sockets.filter((socket) => socket.closed).length;
    if (closed > 0) throw new Error(`${closed} of ${count} idle connections were closed`);
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

async function used(port: number): Promise<Socket> {
  const socket = net.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.on('error', () => socket.destroy());
  socket.write('GET /1k HTTP/1.1\r\nHost: app\r\n\r\n');
  let seen = '';
  for await (const part of socket.iterator({ destroyOnReturn: false })) {
    seen += String(part);
    const head = seen.indexOf('\r\n\r\n');
    if (head >= 0 && seen.length - head - 4 >= 1024) break;
  }
  if (!seen.startsWith('HTTP/1.1 200')) throw new Error(`an idle connection was answered ${seen.slice(0, 80)}`);
  socket.resume();
  return socket;
}
