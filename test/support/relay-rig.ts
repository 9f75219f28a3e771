/**
 * A relay with a port, without TLS: every connection is accepted as the peer that the test names, or as the app's.
 * What the relay tells its observers is kept, and a test can play the registry by hand.
 */
import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import { type Clock, systemClock, systemRandomness } from '../../shared/clock/clock.ts';
import type { Refusal } from '../../shared/errors/refusal.ts';
import { silentLog } from '../../shared/log/log.ts';
import { parseSpiffeId } from '../../shared/spiffe/spiffe-id.ts';
import { SocketChannel } from '../../sidecar/channel/socket-channel.ts';
import type { Identity } from '../../sidecar/identity/identity.ts';
import { AppUpstream } from '../../sidecar/relay/app-upstream.ts';
import { onlyUpstream } from '../../sidecar/relay/destination.ts';
import type { HttpLimits } from '../../sidecar/relay/http-limits.ts';
import { Http1Relay } from '../../sidecar/relay/http1-relay.ts';
import type { Carrier, ConnectionState, RegisteredConnection, Relay } from '../../sidecar/relay/relay.ts';
import { TcpRelay } from '../../sidecar/relay/tcp-relay.ts';
import type { Upstream } from '../../sidecar/relay/upstream.ts';
import type { ServedConnection, ServedRequest } from '../../sidecar/telemetry/served-request.ts';
import type { VerifiedPeer } from '../../sidecar/tls/peer-check.ts';

export const LIMITS: HttpLimits = {
  headerSeconds: 5,
  headerBytes: 16_384,
  headerCount: 100,
  bodyIdleSeconds: 5,
  idleSeconds: 10,
};

/** A registered connection whose end the test decides. */
export class PlayedConnection implements RegisteredConnection {
  readonly id = 1;
  state: ConnectionState = 'open';
  requests = 0;
  carrier: Carrier | undefined;

  carriedBy(carrier: Carrier): void {
    this.carrier = carrier;
  }

  retire(): void {
    this.state = 'retiring';
    this.carrier?.retire('expiry');
  }

  expire(): void {
    this.state = 'expired';
    this.carrier?.expire();
  }
}

export interface RigOptions {
  /** Port of the app, or a whole upstream. */
  readonly to: number | Upstream;
  /** SPIFFE ID of the caller; none: the app's own calls. */
  readonly peer?: string;
  readonly limits?: Partial<HttpLimits>;
  readonly clock?: Clock;
}

export interface Rig extends AsyncDisposable {
  readonly port: number;
  readonly relay: Relay;
  readonly served: ServedRequest[];
  readonly connectionsServed: ServedConnection[];
  readonly refused: Refusal[];
  readonly connections: PlayedConnection[];
  /** The relay's side of what was accepted. */
  readonly sockets: Socket[];
}

export const CERTIFICATE_HASH = 'ab'.repeat(32);
export const OWN_ID = 'spiffe://cluster.local/ns/shop/sa/orders';

export function httpRig(options: RigOptions): Promise<Rig> {
  const { clock = systemClock } = options;
  const served: ServedRequest[] = [];
  const refused: Refusal[] = [];
  const observer = {
    requestServed: (one: ServedRequest) => void served.push(one),
    refused: (one: Refusal) => void refused.push(one),
  };
  const limits = { ...LIMITS, ...options.limits };
  const destination = onlyUpstream(upstreamOf(options, clock), clock, systemRandomness);
  const relay = new Http1Relay({ destination, limits, clock, randomness: systemRandomness, log: silentLog, observer });
  return rig(relay, options, { served, refused, connectionsServed: [] });
}

export function tcpRig(options: RigOptions): Promise<Rig> {
  const { clock = systemClock } = options;
  const connectionsServed: ServedConnection[] = [];
  const refused: Refusal[] = [];
  const observer = {
    connectionOpened: () => ({ flowed() {}, closed: (one: ServedConnection) => void connectionsServed.push(one) }),
    refused: (one: Refusal) => void refused.push(one),
  };
  const { idleSeconds } = { ...LIMITS, ...options.limits };
  const relay = new TcpRelay({ upstream: upstreamOf(options, clock), idleSeconds, clock, log: silentLog, observer });
  return rig(relay, options, { served: [], refused, connectionsServed });
}

function upstreamOf({ to }: RigOptions, clock: Clock): Upstream {
  return typeof to === 'number' ? new AppUpstream({ host: '127.0.0.1', port: to, clock, connectSeconds: 2 }) : to;
}

async function rig(
  relay: Relay,
  { peer }: RigOptions,
  kept: Pick<Rig, 'served' | 'refused' | 'connectionsServed'>,
): Promise<Rig> {
  const connections: PlayedConnection[] = [];
  const sockets: Socket[] = [];
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const connection = new PlayedConnection();
    connections.push(connection);
    sockets.push(socket);
    const channel = new SocketChannel(socket);
    relay.accept({ channel, connection, ...(peer === undefined ? {} : { peer: peerOf(peer), own: ownIdentity() }) });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    ...kept,
    relay,
    connections,
    sockets,
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      relay.close();
      await closed;
    },
  };
}

function peerOf(uri: string): VerifiedPeer {
  return {
    spiffeId: parseSpiffeId(uri),
    notAfter: Number.MAX_SAFE_INTEGER,
    certificateHash: CERTIFICATE_HASH,
    chain: [],
    serial: '01',
  };
}

/** Only its name is looked at by a relay. */
function ownIdentity(): Identity {
  return { spiffeId: parseSpiffeId(OWN_ID) } as Identity;
}
