/**
 * The gate for tunnels (HBONE): one mutual TLS session per peer, whose identity is checked once, and any number of
 * CONNECT streams in it, each to one of the inbound apps, whose list of callers is asked for each stream. The app is
 * reached before the answer is given, so that a peer learns about an app that is away from the status; for a peer that
 * may not call, it is not reached at all. It takes CONNECT and nothing else.
 */
import type { TLSSocket } from 'node:tls';
import { asRefusal, Refusal } from '../../shared/errors/refusal.ts';
import type { Log } from '../../shared/log/log.ts';
import type { Identity } from '../identity/identity.ts';
import { type AllowedCallers, mayCall } from '../policy/allowed-callers.ts';
import { TUNNEL_ALPN } from '../relay/peer-session.ts';
import type { Relay } from '../relay/relay.ts';
import { SessionCarrier } from '../relay/session-carrier.ts';
import type { Upstream } from '../relay/upstream.ts';
import { createMtlsServer } from '../tls/mtls-server.ts';
import type { VerifiedPeer } from '../tls/peer-check.ts';
import { Session } from '../tunnel/session.ts';
import type { ConnectRequest, RefusalStatus } from '../tunnel/session-server.ts';
import type { TunnelLimits } from '../tunnel/tunnel-limits.ts';
import { isOurs, parseAuthority } from './authority.ts';
import { createListener, listenerLog } from './create-listener.ts';
import type { Listener } from './listener.ts';
import type { ListenerParts } from './listener-parts.ts';
import { PeerRefusals } from './peer-refusals.ts';
import { StreamPlaces } from './stream-places.ts';

/** An app that tunnels lead to. */
export interface TunnelledApp {
  /** Of its inbound listener. */
  readonly name: string;
  /** By which a CONNECT names it. */
  readonly port: number;
  /** Undefined: whoever has proved who it is. */
  readonly allowed: AllowedCallers | undefined;
  readonly upstream: Upstream;
  readonly relay: Relay;
}

export interface TunnelGateOptions {
  readonly apps: readonly TunnelledApp[];
  readonly limits: TunnelLimits;
  readonly parts: Pick<ListenerParts, 'registry' | 'clock' | 'refused'> & {
    readonly limits: { readonly connections: number };
  };
  readonly log: Log;
}

/** The port that takes tunnels for all apps. Not open yet. */
export function createTunnelListener(
  { listen, limits, apps }: { listen: string; limits: TunnelLimits; apps: readonly TunnelledApp[] },
  parts: ListenerParts,
): Listener {
  const [direction, name] = ['inbound', 'tunnel'] as const;
  const { store, clock, handshakeEnded } = parts;
  const log = listenerLog(direction, name, parts);
  const gate = new TunnelGate({ apps, limits, parts, log });
  const refusals = new PeerRefusals(parts, log);
  const server = createMtlsServer({
    store,
    clock,
    handshakeSeconds: parts.limits.handshakeSeconds,
    protocols: [TUNNEL_ALPN],
    onPeer(socket, peer, own) {
      if (socket.alpnProtocol !== TUNNEL_ALPN) {
        return refusals.turnAway(socket, peer, new Refusal('tunnel_unsupported', 'it did not offer h2'));
      }
      handshakeEnded(direction, 'ok');
      gate.admit(socket, peer, own);
    },
    onRefused: (refusal, remoteAddress) => refusals.tell(refusal, remoteAddress),
  });
  return createListener({ direction, name, listen, server, relay: gate, log }, parts);
}

/** Who is at the other end of a session. */
interface Caller {
  readonly peer: VerifiedPeer;
  readonly own: Identity;
  readonly carrier: SessionCarrier;
  readonly localAddress: string | undefined;
}

export class TunnelGate {
  readonly #options: TunnelGateOptions;
  readonly #apps: ReadonlyMap<number, TunnelledApp>;
  readonly #sessions = new Map<Session, Caller>();
  readonly #places: StreamPlaces;

  constructor(options: TunnelGateOptions) {
    this.#options = options;
    this.#apps = new Map(options.apps.map((app) => [app.port, app]));
    const { registry, limits } = options.parts;
    this.#places = new StreamPlaces(registry.files, limits.connections);
  }

  /** A peer that has proved who it is and agreed on HTTP/2. */
  admit(socket: TLSSocket, peer: VerifiedPeer, own: Identity): void {
    const { limits, parts } = this.#options;
    const session: Session = new Session({
      socket,
      role: 'server',
      clock: parts.clock,
      limits,
      events: {
        onConnect: (request) => void this.#connect(request, caller),
        onLast: () => caller.carrier.heard(),
        onReleased: () => this.#places.end(peer.spiffeId.uri),
        onClose: (why) => this.#closed(session, caller, why),
      },
    });
    const facts = {
      direction: 'inbound',
      leg: 'mtls',
      role: 'accepted',
      listener: 'tunnel',
      protocol: 'tunnel',
    } as const;
    const carrier = new SessionCarrier(session);
    const caller: Caller = { peer, own, carrier, localAddress: socket.localAddress };
    this.#sessions.set(session, caller);
    carrier.registeredAs(parts.registry.register({ ...facts, socket, peer, own }));
  }

  /** Nobody new comes, and what is open finishes. */
  drain(): void {
    for (const { relay } of this.#options.apps) relay.drain();
    for (const { carrier } of this.#sessions.values()) carrier.retire('draining');
  }

  close(): void {
    for (const { relay } of this.#options.apps) relay.close();
    for (const session of this.#sessions.keys()) session.cut(new Refusal('draining'));
  }

  async #connect(request: ConnectRequest, caller: Caller): Promise<void> {
    const full = this.#places.begin(caller.peer.spiffeId.uri);
    if (full) return this.#refuse(request, caller, 503, new Refusal('connection_limit', full));
    const authority = parseAuthority(request.authority);
    if (!authority || !isOurs(authority, caller.localAddress)) {
      return this.#refuse(request, caller, 400, new Refusal('tunnel_target_invalid', request.authority));
    }
    const app = this.#apps.get(authority.port);
    if (!app) return this.#refuse(request, caller, 404, new Refusal('tunnel_target_unknown', request.authority));
    if (!mayCall(app.allowed, caller.peer.spiffeId)) {
      // RFC 9110 §15.5.4. Before the app is dialed: it must not notice, nor its being away be learned.
      const why = new Refusal('caller_not_allowed', `not in \`allow\` of inbound listener ${app.name}`);
      return this.#refuse(request, caller, 403, why);
    }
    const gone = new AbortController();
    request.onGone = () => gone.abort();
    try {
      const ready = await app.upstream.dial(gone.signal);
      if (request.isGone) return ready.channel.abort(new Refusal('connection_broken', 'the peer left'));
      const stream = request.accept();
      const { peer, own, carrier } = caller;
      app.relay.accept({ channel: stream, connection: carrier.entered(stream), peer, own, ready });
    } catch (error) {
      if (!request.isGone) this.#refuse(request, caller, 503, asRefusal(error, 'app_unreachable'));
    }
  }

  #refuse(request: ConnectRequest, { peer }: Caller, status: RefusalStatus, why: Refusal): void {
    const { parts, log } = this.#options;
    parts.refused(why);
    log.warn('tunnel_refused', { code: why.code, reason: why.detail, status, peer: peer.spiffeId.uri });
    request.refuse(status);
  }

  #closed(session: Session, { peer }: Caller, why: Refusal | undefined): void {
    this.#sessions.delete(session);
    if (!why) return;
    this.#options.parts.refused(why);
    this.#options.log.warn('tunnel_ended', { code: why.code, reason: why.detail, peer: peer.spiffeId.uri });
  }
}
