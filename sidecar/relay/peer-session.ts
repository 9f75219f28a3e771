/**
 * A tunnel session with the peer that proved itself at its handshake: what opens streams, and what ends them with
 * the identities behind it. It is one registered connection, however many streams it has.
 */
import type { Clock } from '../../shared/clock/clock.ts';
import { asRefusal, Refusal } from '../../shared/errors/refusal.ts';
import type { Identity } from '../identity/identity.ts';
import type { Destination } from '../tls/mtls-dialer.ts';
import type { VerifiedPeer } from '../tls/peer-check.ts';
import { Session } from '../tunnel/session.ts';
import type { HeaderList, PooledSession } from '../tunnel/session-pool.ts';
import type { TunnelLimits } from '../tunnel/tunnel-limits.ts';
import type { TunnelStream } from '../tunnel/tunnel-stream.ts';
import type { PeerDialer } from './peer-upstream.ts';
import type { RegisteredConnection, Registrar } from './relay.ts';
import { SessionCarrier } from './session-carrier.ts';

/** RFC 9113 §3.2: the protocol identifier of HTTP/2 over TLS. */
export const TUNNEL_ALPN = 'h2';

export interface TunnelDialing {
  /** Offers TUNNEL_ALPN. */
  readonly dialer: PeerDialer;
  readonly registrar: Registrar;
  readonly clock: Clock;
  readonly limits: TunnelLimits;
  /** Told how every handshake ended: `ok` or the code of the refusal. */
  readonly handshakeEnded: (result: string) => void;
}

export class PeerSession implements PooledSession {
  readonly peer: VerifiedPeer;
  readonly own: Identity;
  readonly #session: Session;
  readonly #carrier: SessionCarrier;

  private constructor(session: Session, carrier: SessionCarrier, peer: VerifiedPeer, own: Identity) {
    this.#session = session;
    this.#carrier = carrier;
    this.peer = peer;
    this.own = own;
  }

  /** @throws {Refusal} identity_*, upstream_*, peer_*, tunnel_unsupported */
  static async dial(
    { dialer, registrar, clock, limits, handshakeEnded }: TunnelDialing,
    to: Destination,
    peers: readonly string[],
  ): Promise<PeerSession> {
    const { socket, peer, own } = await dialer.dial(to, peers).catch((error: unknown) => {
      const refusal = asRefusal(error, 'upstream_unreachable');
      if (refusal.code.startsWith('peer_')) handshakeEnded(refusal.code);
      throw refusal;
    });
    if (socket.alpnProtocol !== TUNNEL_ALPN) {
      socket.on('error', () => {}); // it is being closed
      socket.destroy();
      handshakeEnded('tunnel_unsupported');
      throw new Refusal('tunnel_unsupported', `${to.host}:${to.port} speaks no HTTP/2`);
    }
    handshakeEnded('ok');
    const events = { onDraining: () => carrier.peerDrains(), onLast: () => carrier.heard(), onClose() {} };
    const session = new Session({ socket, role: 'client', clock, limits, events });
    const facts = {
      direction: 'outbound',
      leg: 'mtls',
      role: 'dialed',
      listener: 'tunnel',
      protocol: 'tunnel',
    } as const;
    const carrier: SessionCarrier = new SessionCarrier(session);
    carrier.registeredAs(registrar.register({ ...facts, socket, peer, own }));
    return new PeerSession(session, carrier, peer, own);
  }

  get room(): number {
    return this.#session.room;
  }

  get streams(): number {
    return this.#session.streams;
  }

  get isDraining(): boolean {
    return this.#session.isDraining;
  }

  get isClosed(): boolean {
    return this.#session.isClosed;
  }

  open(authority: string, headers: HeaderList, signal?: AbortSignal): Promise<TunnelStream> {
    return this.#session.open(authority, headers, signal);
  }

  drain(): void {
    this.#session.drain();
  }

  /** What a relay sees of the stream's connection. */
  entered(stream: TunnelStream): RegisteredConnection {
    return this.#carrier.entered(stream);
  }
}
