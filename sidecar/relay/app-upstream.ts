/** The app behind this sidecar: plain TCP on loopback. It holds no pool and speaks no protocol. */
import type { Clock } from '../../shared/clock/clock.ts';
import { Refusal } from '../../shared/errors/refusal.ts';
import { connectLending } from '../channel/lending-channels.ts';
import type { Upstream, UpstreamConnection } from './upstream.ts';

export interface AppUpstreamOptions {
  readonly host: string;
  readonly port: number;
  readonly clock: Clock;
  readonly connectSeconds: number;
  /** `peer`: somebody else, in plaintext, because the settings say so by name. */
  readonly kind?: 'app' | 'peer';
}

export class AppUpstream implements Upstream {
  readonly kind: 'app' | 'peer';
  readonly address: string;
  readonly #options: AppUpstreamOptions;

  constructor(options: AppUpstreamOptions) {
    this.#options = options;
    this.kind = options.kind ?? 'app';
    this.address = `${options.host}:${options.port}`;
  }

  dial(signal?: AbortSignal): Promise<UpstreamConnection> {
    const { host, port, clock, connectSeconds } = this.#options;
    return new Promise((resolve, reject) => {
      const { socket, channel } = connectLending({ host, port, noDelay: true, allowHalfOpen: true });
      const settle = (): void => {
        timer.cancel();
        signal?.removeEventListener('abort', onAbort);
        socket.off('connect', onConnect).off('error', onError);
      };
      const fail = (why: string): void => {
        settle();
        socket.destroy();
        reject(new Refusal(this.kind === 'app' ? 'app_unreachable' : 'upstream_unreachable', `${this.address} ${why}`));
      };
      const onAbort = (): void => fail('the caller left');
      const onError = (error: NodeJS.ErrnoException): void => fail(error.code ?? error.message);
      const onConnect = (): void => {
        settle();
        resolve({ channel });
      };
      const timer = clock.after(connectSeconds * 1000, () => fail(`did not accept within ${connectSeconds} s`));
      socket.on('connect', onConnect).on('error', onError);
      if (signal?.aborted) onAbort();
      else signal?.addEventListener('abort', onAbort, { once: true });
    });
  }
}
