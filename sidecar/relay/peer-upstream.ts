/**
 * A peer's sidecar (or any server with an SVID) behind mutual TLS. Every connection is entered in the registry,
 * which tells its carrier when the identities that opened it end. It keeps no pool and never falls back to plaintext.
 */
import { asRefusal } from '../../shared/errors/refusal.ts';
import { acceptLending } from '../channel/lending-channels.ts';
import type { Destination, Dialed } from '../tls/mtls-dialer.ts';
import type { Registrar, RelayProtocol } from './relay.ts';
import type { Upstream, UpstreamConnection } from './upstream.ts';

/** What it needs of MtlsDialer. */
export interface PeerDialer {
  dial(to: Destination, peers: readonly string[], signal?: AbortSignal): Promise<Dialed>;
}

export interface PeerUpstreamOptions {
  readonly to: Destination;
  /** The SPIFFE IDs that may answer there. */
  readonly peers: readonly string[];
  readonly dialer: PeerDialer;
  readonly registrar: Registrar;
  readonly listener: string;
  readonly protocol: RelayProtocol;
  /** Told how every handshake ended: `ok` or the code of the refusal. */
  readonly handshakeEnded: (result: string) => void;
}

export class PeerUpstream implements Upstream {
  readonly kind = 'peer';
  readonly address: string;
  readonly #options: PeerUpstreamOptions;

  constructor(options: PeerUpstreamOptions) {
    this.#options = options;
    this.address = `${options.to.host}:${options.to.port}`;
  }

  async dial(signal?: AbortSignal): Promise<UpstreamConnection> {
    const { registrar, listener, protocol, handshakeEnded } = this.#options;
    const { socket, peer, own } = await this.#dialed(signal);
    const channel = acceptLending(socket);
    handshakeEnded('ok');
    const facts = {
      direction: 'outbound',
      leg: 'mtls',
      role: 'dialed',
      listener,
      protocol,
      socket,
      peer,
      own,
    } as const;
    return { channel, peer, own, connection: registrar.register(facts) };
  }

  async #dialed(signal: AbortSignal | undefined): Promise<Dialed> {
    const { dialer, to, peers, handshakeEnded } = this.#options;
    try {
      return await dialer.dial(to, peers, signal);
    } catch (error) {
      const refusal = asRefusal(error, 'upstream_unreachable');
      if (refusal.code.startsWith('peer_')) handshakeEnded(refusal.code);
      throw refusal;
    }
  }
}
