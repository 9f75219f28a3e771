/**
 * The client side of mutual TLS: connects, verifies the server as a peer, and holds its SPIFFE ID against those
 * that are expected there. The name in the certificate is the SPIFFE ID, so no host name is checked.
 * In TLS 1.3 the client is done before the server has judged it: a refusal of our own certificate arrives later,
 * as an error or an early end of the socket. It never resumes a session and never falls back to plaintext.
 */
import net, { type Socket } from 'node:net';
import tls, { type ConnectionOptions, type SecureContext, type TLSSocket } from 'node:tls';
import type { Clock } from '../../shared/clock/clock.ts';
import { Refusal, type RefusalCode } from '../../shared/errors/refusal.ts';
import type { Identity, PublishedIdentity, Trust } from '../identity/identity.ts';
import { contextOptions } from './context-options.ts';
import { refusalOfHandshake } from './handshake-failure.ts';
import { checkPeer, claimOf, type VerifiedPeer } from './peer-check.ts';

export interface MtlsDialerOptions {
  readonly store: PublishedIdentity;
  readonly clock: Clock;
  /** Seconds for TCP, name resolution included. */
  readonly connectSeconds: number;
  /** Seconds for TLS, after TCP. */
  readonly handshakeSeconds: number;
  /** Application protocols to offer (RFC 7301). Whoever needs one looks at what was chosen. */
  readonly protocols?: readonly string[];
}

export interface Destination {
  readonly host: string;
  readonly port: number;
}

/** A connection to a peer that has proved who it is. Its errors are the receiver's from here on. */
export interface Dialed {
  readonly socket: TLSSocket;
  readonly peer: VerifiedPeer;
  /** The identity that was presented. */
  readonly own: Identity;
}

export class MtlsDialer {
  readonly #options: MtlsDialerOptions;
  /** The context of the newest identity and trust: building one costs half a millisecond. */
  #built: { identity: Identity; trust: Trust; context: SecureContext } | undefined;

  constructor(options: MtlsDialerOptions) {
    this.#options = options;
  }

  /**
   * @param peers the SPIFFE IDs that may answer there; whoever else answers is refused
   * @throws {Refusal} identity_*, upstream_unreachable, upstream_timeout, peer_*
   */
  async dial(to: Destination, peers: readonly string[], signal?: AbortSignal): Promise<Dialed> {
    const { store, clock, connectSeconds, handshakeSeconds, protocols = [] } = this.#options;
    const { identity: own, trust, context } = this.#context();
    const raw = await connected(to, { clock, seconds: connectSeconds, signal });
    const socket = await secured(
      raw,
      { secureContext: context, ALPNProtocols: [...protocols] },
      { clock, seconds: handshakeSeconds, signal },
    );
    try {
      // By the newest bundle: what came during the handshake may have withdrawn the authority that it was made under.
      const peer = checkPeer(socket, (store.trust ?? trust).anchors, clock.now());
      if (!peers.includes(peer.spiffeId.uri))
        throw new Refusal('peer_identity_unexpected', `expected ${peers.join(' or ')}`);
      return { socket, peer, own };
    } catch (error) {
      const claim = claimOf(socket);
      socket.on('error', () => {}); // it is being closed: what the peer still does to it is of no interest
      socket.destroy();
      if (!(error instanceof Refusal)) throw error;
      throw new Refusal(error.code, { detail: `${claim}; ${error.detail}`, cause: error });
    }
  }

  #context(): { identity: Identity; trust: Trust; context: SecureContext } {
    const { identity, trust } = this.#options.store;
    if (!identity || !trust) throw new Refusal('identity_missing');
    if (identity.notAfter <= this.#options.clock.now()) throw new Refusal('identity_expired');
    if (this.#built?.identity !== identity || this.#built.trust !== trust) {
      this.#built = { identity, trust, context: tls.createSecureContext(contextOptions(identity, trust)) };
    }
    return this.#built;
  }
}

interface Patience {
  readonly clock: Clock;
  readonly seconds: number;
  readonly signal: AbortSignal | undefined;
}

function connected({ host, port }: Destination, patience: Patience): Promise<Socket> {
  const socket = net.connect({ host, port, noDelay: true });
  return ready(socket, 'connect', 'upstream_timeout', patience, (error) => {
    const { code = error.message } = firstOf(error);
    return new Refusal('upstream_unreachable', { detail: `${host}:${port} ${code}`, cause: error });
  });
}

function secured(raw: Socket, options: ConnectionOptions, patience: Patience): Promise<TLSSocket> {
  const socket = tls.connect({
    ...options,
    socket: raw,
    rejectUnauthorized: true,
    // An SVID carries no host name. What takes this check's place is the comparison of SPIFFE IDs in `dial`.
    checkServerIdentity: () => undefined,
  });
  return ready(socket, 'secureConnect', 'peer_handshake_timeout', patience, refusalOfHandshake);
}

/** Waits for one event of a fresh socket; on failure, timeout or abort nothing of the socket is left. */
function ready<T extends Socket>(
  socket: T,
  event: 'connect' | 'secureConnect',
  late: RefusalCode,
  { clock, seconds, signal }: Patience,
  refusalOf: (error: NodeJS.ErrnoException) => Refusal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const fail = (refusal: Refusal): void => {
      settle();
      socket.on('error', () => {}); // the first failure is told; what follows from closing it is not
      socket.destroy();
      reject(refusal);
    };
    const onError = (error: NodeJS.ErrnoException): void => fail(refusalOf(error));
    const onClose = (): void => fail(refusalOf(Object.assign(new Error('closed early'), { code: 'ECONNRESET' })));
    const onAbort = (): void => fail(new Refusal('upstream_unreachable', 'the caller left'));
    const onReady = (): void => {
      settle();
      resolve(socket);
    };
    const timer = clock.after(seconds * 1000, () => fail(new Refusal(late, `${seconds} s`)));
    const settle = (): void => {
      timer.cancel();
      signal?.removeEventListener('abort', onAbort);
      socket.off(event, onReady).off('error', onError).off('close', onClose);
    };
    socket.on(event, onReady).on('error', onError).on('close', onClose);
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** When several addresses of a name were tried, the error has no code of its own: its first part speaks for it. */
function firstOf(error: NodeJS.ErrnoException): NodeJS.ErrnoException {
  return error instanceof AggregateError ? ((error.errors[0] as NodeJS.ErrnoException | undefined) ?? error) : error;
}
