/** The app behind this sidecar: plain TCP on loopback. It holds no pool and speaks no protocol. */
import net, { type Socket } from 'node:net';
import type { Clock } from '../../shared/clock/clock.ts';
import { Refusal } from '../../shared/errors/refusal.ts';
import type { Upstream, UpstreamConnection } from './upstream.ts';

export interface AppUpstreamOptions {
  readonly host: string;
  readonly port: number;
  readonly clock: Clock;
  readonly connectSeconds: number;
}

export class AppUpstream implements Upstream {
  readonly kind = 'app';
  readonly address: string;
  readonly #options: AppUpstreamOptions;

  constructor(options: AppUpstreamOptions) {
    this.#options = options;
    this.address = `${options.host}:${options.port}`;
  }

  dial(signal?: AbortSignal): Promise<UpstreamConnection> {
    const { host, port, clock, connectSeconds } = this.#options;
    return new Promise((resolve, reject) => {
      const socket = net.connect({ host, port, noDelay: true, allowHalfOpen: true });
      const settle = (): void => {
        timer.cancel();
        signal?.removeEventListener('abort', onAbort);
        socket.off('connect', onConnect).off('error', onError);
      };
      const fail = (why: string): void => {
        settle();
        closeQuietly(socket);
        reject(new Refusal('app_unreachable', `${this.address} ${why}`));
      };
      const onAbort = (): void => fail('the caller left');
      const onError = (error: NodeJS.ErrnoException): void => fail(error.code ?? error.message);
      const onConnect = (): void => {
        settle();
        leaveErrorsToClose(socket);
        resolve({ socket });
      };
      const timer = clock.after(connectSeconds * 1000, () => fail(`did not accept within ${connectSeconds} s`));
      socket.on('connect', onConnect).on('error', onError);
      if (signal?.aborted) onAbort();
      else signal?.addEventListener('abort', onAbort, { once: true });
    });
  }
}

function closeQuietly(socket: Socket): void {
  leaveErrorsToClose(socket);
  socket.destroy();
}

/** Every error of a socket is followed by its `close`, which its user watches: nothing else must happen here. */
export function leaveErrorsToClose(socket: Socket): void {
  socket.on('error', () => {});
}
