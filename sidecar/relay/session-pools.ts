/**
 * One pool of sessions per peer's address and expected identities, shared by every listener that leads there. A pool
 * lives as long as somebody uses it. Listeners that expect different peers never share a session.
 */
import type { Clock } from '../../shared/clock/clock.ts';
import type { Destination } from '../tls/mtls-dialer.ts';
import { SessionPool } from '../tunnel/session-pool.ts';
import { PeerSession, type TunnelDialing } from './peer-session.ts';

export interface SessionPoolsOptions extends TunnelDialing {
  readonly clock: Clock;
  readonly idleSeconds: number;
  readonly mostSessions: number;
}

interface Shared {
  readonly pool: SessionPool<PeerSession>;
  users: number;
}

export class SessionPools {
  readonly #options: SessionPoolsOptions;
  readonly #pools = new Map<string, Shared>();

  constructor(options: SessionPoolsOptions) {
    this.#options = options;
  }

  /** `release` must follow. */
  acquire(to: Destination, peers: readonly string[]): SessionPool<PeerSession> {
    const key = keyOf(to, peers);
    let shared = this.#pools.get(key);
    if (!shared) {
      const { clock, idleSeconds, mostSessions } = this.#options;
      const dial = (): Promise<PeerSession> => PeerSession.dial(this.#options, to, peers);
      shared = { pool: new SessionPool({ clock, idleSeconds, mostSessions, dial }), users: 0 };
      this.#pools.set(key, shared);
    }
    shared.users++;
    return shared.pool;
  }

  release(to: Destination, peers: readonly string[]): void {
    const key = keyOf(to, peers);
    const shared = this.#pools.get(key);
    if (!shared || --shared.users > 0) return;
    this.#pools.delete(key);
    shared.pool.close();
  }
}

function keyOf({ host, port }: Destination, peers: readonly string[]): string {
  return [`${host}|${port}`, ...[...peers].sort()].join(' ');
}
