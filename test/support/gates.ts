/**
 * The data plane of two sidecars in this process: an app's way out, mutual TLS between the two, and the gate before
 * the other app. Identities come from a test authority, so that a test can rotate and expire them.
 */
import { type Clock, systemClock, systemRandomness } from '../../shared/clock/clock.ts';
import { silentLog } from '../../shared/log/log.ts';
import type { IdentityStore } from '../../sidecar/identity/identity-store.ts';
import { ConnectionRegistry } from '../../sidecar/listeners/connection-registry.ts';
import { createInboundApp } from '../../sidecar/listeners/inbound.ts';
import type { Listener } from '../../sidecar/listeners/listener.ts';
import type { ListenerLimits, ListenerParts } from '../../sidecar/listeners/listener-parts.ts';
import { createOutboundListener } from '../../sidecar/listeners/outbound.ts';
import { createTunnelListener } from '../../sidecar/listeners/tunnel-gate.ts';
import { TUNNEL_ALPN } from '../../sidecar/relay/peer-session.ts';
import type { RelayProtocol } from '../../sidecar/relay/relay.ts';
import { SessionPools } from '../../sidecar/relay/session-pools.ts';
import { ConnectionMetrics } from '../../sidecar/telemetry/connection-metrics.ts';
import { TrafficMetrics } from '../../sidecar/telemetry/traffic-metrics.ts';
import { MtlsDialer } from '../../sidecar/tls/mtls-dialer.ts';
import { TUNNEL_LIMITS } from '../../sidecar/tunnel/tunnel-limits.ts';
import { LIMITS } from './relay-rig.ts';

export const WEB = 'spiffe://cluster.local/ns/shop/sa/web';
export const ORDERS = 'spiffe://cluster.local/ns/shop/sa/orders';

export interface GateOptions {
  readonly store: IdentityStore;
  readonly clock?: Clock;
  readonly limits?: Partial<ListenerLimits>;
  readonly expiryGraceSeconds?: number;
  /** Files that the process may open. */
  readonly openFiles?: number;
  readonly protocol?: RelayProtocol;
  readonly unsafePlaintext?: boolean;
  /** Default: whoever has proved an SVID. */
  readonly allow?: readonly string[];
  /** `host:port`; default: any free port on loopback. */
  readonly listen?: string;
}

/** One side: a listener with all that stands behind it. */
export class Gate implements AsyncDisposable {
  readonly listener: Listener;
  readonly registry: ConnectionRegistry;
  readonly connections = new ConnectionMetrics();
  readonly traffic = new TrafficMetrics();
  /** Codes, in the order of events. */
  readonly refused: string[] = [];
  readonly handshakes: string[] = [];
  readonly #unfollow: () => void;

  constructor(options: GateOptions, create: (parts: ListenerParts) => Listener) {
    const { store, clock = systemClock, expiryGraceSeconds = 30, openFiles = Infinity } = options;
    const shared = { clock, log: silentLog, expiryGraceSeconds, openFiles };
    this.registry = new ConnectionRegistry({ ...shared, metrics: this.connections });
    this.#unfollow = this.registry.followIdentity(store);
    this.listener = create({
      store,
      clock,
      registry: this.registry,
      randomness: systemRandomness,
      log: silentLog,
      limits: { connections: 100, handshakeSeconds: 5, connectSeconds: 5, detectMs: 200, ...LIMITS, ...options.limits },
      workload: { name: 'orders', namespace: 'shop', app: 'orders', version: 'v1' },
      traffic: this.traffic,
      accessLog: 'off',
      refused: ({ code }) => void this.refused.push(code),
      sharesPorts: false,
      endpointEjected: (listener) => void this.connections.ejected.inc([listener]),
      callsLost: (reason) => void this.connections.callsLost.inc([reason]),
      handshakeEnded: (_direction, result) => void this.handshakes.push(result),
    });
  }

  get port(): number {
    return this.listener.bound!.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unfollow();
    this.listener.close();
    const closed = this.registry.drain();
    this.registry.cutAll();
    await closed;
  }
}

export async function openInbound(app: number, options: GateOptions): Promise<Gate> {
  const settings = {
    name: 'app',
    listen: '127.0.0.1:0',
    protocol: options.protocol ?? 'http',
    app: `127.0.0.1:${app}`,
    unsafePlaintext: options.unsafePlaintext ?? false,
    allow: options.allow,
  };
  const gate = new Gate(options, (parts) => createInboundApp(settings, parts).listener!);
  await gate.listener.open();
  return gate;
}

/** The gate for tunnels, before one app. */
export async function openTunnelGate(app: number, options: GateOptions): Promise<Gate> {
  const { protocol = 'http', listen = '127.0.0.1:0', allow } = options;
  const settings = { name: 'app', protocol, app: `127.0.0.1:${app}`, allow, unsafePlaintext: false };
  const gate = new Gate(options, (parts) =>
    createTunnelListener({ listen, limits: TUNNEL_LIMITS, apps: [createInboundApp(settings, parts)] }, parts),
  );
  await gate.listener.open();
  return gate;
}

export interface OutboundOptions extends GateOptions {
  readonly peers?: readonly string[];
  readonly transport?: 'tunnel' | 'mtls' | 'unsafePlaintext';
  readonly tunnelPort?: number;
}

export const BALANCE = {
  resolveSeconds: 5,
  mostActive: 1000,
  failures: 5,
  ejectionSeconds: 30,
  longestEjectionSeconds: 300,
  mostEjectedPercent: 50,
};

/** @param peers who may answer there; default: orders */
export async function openOutbound(to: number, options: OutboundOptions): Promise<Gate> {
  const { store, clock = systemClock, peers = [ORDERS], protocol = 'http', listen = '127.0.0.1:0' } = options;
  const dialer = new MtlsDialer({ store, clock, connectSeconds: 5, handshakeSeconds: 5 });
  const { transport = 'mtls', tunnelPort = 1 } = options;
  const settings = { name: 'orders', listen, protocol, to: `127.0.0.1:${to}`, peers, transport, tunnelPort };
  const gate = new Gate(options, (parts) => {
    const tunnels = new SessionPools({
      dialer: new MtlsDialer({ store, clock, connectSeconds: 5, handshakeSeconds: 5, protocols: [TUNNEL_ALPN] }),
      registrar: parts.registry,
      clock,
      limits: TUNNEL_LIMITS,
      handshakeEnded: (result) => parts.handshakeEnded('outbound', result),
      idleSeconds: 300,
      mostSessions: 4,
    });
    return createOutboundListener(settings, parts, { dialer, tunnels, balance: BALANCE });
  });
  await gate.listener.open();
  return gate;
}
