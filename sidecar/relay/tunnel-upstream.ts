/**
 * A peer's app through a tunnel: every connection is a stream in a session that is shared with all others to the
 * same peer (HBONE). The other sidecar answers only when it has reached the app, so a dialed stream leads there.
 */
import type { HeaderList, SessionPool } from '../tunnel/session-pool.ts';
import type { PeerSession } from './peer-session.ts';
import type { Upstream, UpstreamConnection } from './upstream.ts';

export interface TunnelUpstreamOptions {
  readonly pool: SessionPool<PeerSession>;
  /** `host:port` of the app over there: the request target of CONNECT (RFC 9110 §9.3.6). */
  readonly authority: string;
  /** Of every CONNECT. */
  readonly headers: HeaderList;
}

export class TunnelUpstream implements Upstream {
  readonly kind = 'peer';
  readonly address: string;
  readonly #options: TunnelUpstreamOptions;

  constructor(options: TunnelUpstreamOptions) {
    this.#options = options;
    this.address = options.authority;
  }

  async dial(signal?: AbortSignal): Promise<UpstreamConnection> {
    const { pool, authority, headers } = this.#options;
    const { stream, session } = await pool.open(authority, headers, signal);
    return { channel: stream, connection: session.entered(stream), peer: session.peer, own: session.own };
  }
}
