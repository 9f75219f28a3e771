/**
 * The server side of mutual TLS: one tls.Server whose context follows the identity store. A connection is handed
 * on only after OpenSSL AND our own walk have verified the peer; whoever fails is closed with a code and has not
 * been read from. Rotation touches new handshakes only: live connections keep the certificate that opened them.
 */
import type { Socket } from 'node:net';
import tls, { type TLSSocket } from 'node:tls';
import type { Clock } from '../../shared/clock/clock.ts';
import { asRefusal, Refusal } from '../../shared/errors/refusal.ts';
import type { Identity, PublishedIdentity } from '../identity/identity.ts';
import { contextOptions, emptyContextOptions } from './context-options.ts';
import { type HandshakeFailure, refusalOfHandshake, refusalOfVerification } from './handshake-failure.ts';
import { type HandshakeLimits, HandshakesUnderWay } from './handshakes-under-way.ts';
import { checkPeer, claimOf, type VerifiedPeer } from './peer-check.ts';

export interface MtlsServerOptions {
  readonly store: PublishedIdentity;
  readonly clock: Clock;
  /** Seconds from the accepted connection to the finished handshake. */
  readonly handshakeSeconds: number;
  readonly handshakes?: HandshakeLimits;
  /** Application protocols to choose from (RFC 7301); a client that offers only others fails the handshake. */
  readonly protocols?: readonly string[];
  /** A peer that has proved who it is. Nothing has been read from the socket; its errors are the receiver's from here on. */
  onPeer(socket: TLSSocket, peer: VerifiedPeer, own: Identity): void;
  /** A connection that was closed because of what it presented, or because this side has no identity. */
  onRefused(refusal: Refusal, remoteAddress: string): void;
}

/** Some 35 and 140 MB. */
const HANDSHAKES: HandshakeLimits = { patient: 512, most: 2048 };

/** Not listening yet. Closing it also ends its interest in the store. */
export function createMtlsServer(options: MtlsServerOptions): tls.Server {
  const { store, onRefused } = options;
  const served = new ServedIdentities(options);
  const server = tls.createServer({
    ...served.context(),
    requestCert: true,
    // Not `true`: Node would then close an unverified connection before its certificate or address can be read, and
    // an operator would learn that somebody was refused, never who (docs/decisions/0007). `admit` rejects first of all.
    rejectUnauthorized: false,
    handshakeTimeout: options.handshakeSeconds * 1000,
    noDelay: true,
    ...(options.protocols ? { ALPNProtocols: [...options.protocols] } : {}),
  });
  const forget = store.onChange(() => server.setSecureContext(served.context()));
  server.on('close', forget);
  const handshakes = new HandshakesUnderWay(options.handshakes ?? HANDSHAKES, options.clock);
  server.on('connection', (raw) => {
    void raw.remoteAddress; // asked while it is known: whoever resets the connection has none afterwards
    handshakes.begin(raw);
  });
  server.on('secureConnection', (socket) => {
    handshakes.done(transportOf(socket));
    admit(socket, served, options);
  });
  server.on('tlsClientError', (error: HandshakeFailure, socket) => {
    const remoteAddress = addressOf(socket);
    socket.destroy(); // node:tls only tells that a handshake took too long, and leaves the connection open
    const crowdedOut = handshakes.hasCrowdedOut(transportOf(socket));
    onRefused(store.identity ? refusalOf(error, crowdedOut) : new Refusal('identity_missing'), remoteAddress);
  });
  return server;
}

function admit(socket: TLSSocket, served: ServedIdentities, options: MtlsServerOptions): void {
  let peer: VerifiedPeer;
  let own: Identity;
  try {
    own = served.identityOf(socket);
    peer = verifiedPeer(socket, own, options);
  } catch (error) {
    const { code, detail } = asRefusal(error, 'peer_certificate_malformed');
    const refusal = new Refusal(code, { detail: `${claimOf(socket)}; ${detail}`, cause: error });
    const remoteAddress = addressOf(socket);
    socket.on('error', () => {}); // it is being closed: what the peer still does to it is of no interest
    socket.destroy();
    options.onRefused(refusal, remoteAddress);
    return;
  }
  options.onPeer(socket, peer, own);
}

/** @throws {Refusal} when either verification fails; our own goes first because its code is the more exact one */
function verifiedPeer(socket: TLSSocket, own: Identity, { store, clock }: MtlsServerOptions): VerifiedPeer {
  const now = clock.now();
  if (own.notAfter <= now) throw new Refusal('identity_expired');
  if (!store.trust) throw new Refusal('identity_missing');
  const peer = checkPeer(socket, store.trust.anchors, now);
  if (!socket.authorized) throw refusalOfVerification(String(socket.authorizationError));
  return peer;
}

/** Which identity a handshake used: one that began just before a rotation still ends with the old certificate. */
class ServedIdentities {
  readonly #options: MtlsServerOptions;
  #current: Identity | undefined;
  /** Those that a handshake under way may still use. `until` in monotonic milliseconds. */
  #earlier: { readonly identity: Identity; readonly until: number }[] = [];

  constructor(options: MtlsServerOptions) {
    this.#options = options;
  }

  context(): tls.SecureContextOptions {
    const { store, clock, handshakeSeconds } = this.#options;
    const { identity, trust } = store;
    if (!identity || !trust) return emptyContextOptions();
    if (this.#current && identity !== this.#current) {
      this.#forgetSettled();
      this.#earlier.push({ identity: this.#current, until: clock.monotonic() + handshakeSeconds * 1000 });
    }
    this.#current = identity;
    return contextOptions(identity, trust);
  }

  identityOf(socket: TLSSocket): Identity {
    if (!this.#current) throw new Refusal('identity_missing');
    this.#forgetSettled();
    if (this.#earlier.length === 0) return this.#current;
    const sent = socket.getX509Certificate()?.raw;
    const candidates = [this.#current, ...this.#earlier.map(({ identity }) => identity)];
    const used = candidates.find(({ leaf }) => sent?.equals(leaf.der));
    if (!used) throw new Refusal('identity_missing', 'the handshake used a certificate that is long gone');
    return used;
  }

  #forgetSettled(): void {
    const now = this.#options.clock.monotonic();
    this.#earlier = this.#earlier.filter(({ until }) => now <= until);
  }
}

function refusalOf(error: HandshakeFailure, crowdedOut: boolean): Refusal {
  return crowdedOut ? new Refusal('peer_handshake_timeout', 'too many are under way') : refusalOfHandshake(error);
}

function addressOf(socket: TLSSocket): string {
  return socket.remoteAddress ?? transportOf(socket)?.remoteAddress ?? 'unknown';
}

/** The TCP socket below a TLS socket. node:tls has no public name for it. */
function transportOf(socket: TLSSocket): Socket | undefined {
  return (socket as TLSSocket & { readonly _parent?: Socket })._parent;
}
