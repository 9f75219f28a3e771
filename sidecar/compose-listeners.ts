/** The listeners of this sidecar, the registry of their connections, and what they count. Wiring only. */
import type { Refusal } from '../shared/errors/refusal.ts';
import type { Counter } from '../shared/metrics/metrics.ts';
import type { Surroundings } from './compose.ts';
import type { SidecarSettings } from './config.ts';
import type { PublishedIdentity } from './identity/identity.ts';
import { drain } from './lifecycle/drain.ts';
import { openTogether } from './lifecycle/open-together.ts';
import { ConnectionRegistry } from './listeners/connection-registry.ts';
import type { Bound, DataPlane } from './listeners/data-plane.ts';
import type { WaysOut } from './listeners/destinations.ts';
import { createInboundApp } from './listeners/inbound.ts';
import type { Listener } from './listeners/listener.ts';
import type { ListenerParts } from './listeners/listener-parts.ts';
import { limitOfOpenFiles } from './listeners/open-files.ts';
import { createOutboundListener } from './listeners/outbound.ts';
import { createTunnelListener } from './listeners/tunnel-gate.ts';
import { TUNNEL_ALPN } from './relay/peer-session.ts';
import { SessionPools } from './relay/session-pools.ts';
import { DataPlaneMetrics } from './telemetry/data-plane-metrics.ts';
import { MtlsDialer } from './tls/mtls-dialer.ts';
import { TUNNEL_LIMITS, type TunnelLimits } from './tunnel/tunnel-limits.ts';

export interface ListenerWiring {
  readonly store: PublishedIdentity;
  /** Counted beside the connections: refusals and handshakes. */
  readonly counters: TrafficCounters;
}

/** What listeners count that the identity's part of the sidecar counts too. */
export interface TrafficCounters {
  readonly refusals: Counter;
  readonly handshakes: Counter;
}

/** A data plane in this thread. */
export function composeListeners(
  settings: SidecarSettings,
  around: Surroundings,
  { store, counters }: ListenerWiring,
): DataPlane {
  const { limits, tunnel } = settings;
  const metrics = new DataPlaneMetrics();
  const { expiryGraceSeconds } = limits;
  // All threads open the files of one process.
  const openFiles = limitOfOpenFiles() / settings.workers;
  const registry = new ConnectionRegistry({
    ...around,
    metrics: metrics.connections,
    expiryGraceSeconds,
    openFiles,
  });
  const parts = partsOf(settings, around, { store, counters, registry, metrics });
  const ways = waysOut(settings, around, { store, registry, parts });
  const apps = settings.inbound.map((one) => createInboundApp(one, parts));
  const tunnels =
    apps.length === 0
      ? []
      : [createTunnelListener({ listen: tunnel.listen, limits: tunnelLimits(settings), apps }, parts)];
  const inbound = apps.flatMap(({ listener }) => listener ?? []);
  const outbound = settings.outbound.map((one) => createOutboundListener(one, parts, ways));
  const all = [...inbound, ...tunnels, ...outbound];
  const unfollow = registry.followIdentity(store);
  const gates = { inbound: [...inbound, ...tunnels], outbound, connections: registry, ...around };
  return {
    metrics: metrics.all(),
    refresh: () => Promise.resolve(),
    connections: () => Promise.resolve(registry.list()),
    closedPorts: () => all.filter(({ bound }) => !bound).map(({ direction, name }) => `${direction} ${name}`),
    async open() {
      await openTogether(all.map((listener) => listener.open()));
      const gate = tunnels[0]?.bound;
      return { inbound: boundOf(inbound), outbound: boundOf(outbound), ...(gate ? { tunnel: gate } : {}) };
    },
    drain: (seconds) => drain({ ...gates, seconds }),
    close() {
      unfollow();
      for (const listener of all) listener.close();
    },
    setLogLevel: (level) => around.log.setLevel(level),
  };
}

function partsOf(
  { limits, workload, workers, log: logging }: SidecarSettings,
  around: Surroundings,
  { store, counters, registry, metrics }: ListenerWiring & { registry: ConnectionRegistry; metrics: DataPlaneMetrics },
): ListenerParts {
  return {
    ...around,
    store,
    registry,
    limits,
    workload,
    traffic: metrics.traffic,
    accessLog: logging.access,
    sharesPorts: workers > 1,
    refused: ({ code }: Refusal) => counters.refusals.inc([code]),
    handshakeEnded: (direction, result) => counters.handshakes.inc([direction, result]),
    callsLost: (reason) => metrics.connections.callsLost.inc([reason]),
    endpointEjected: (listener) => metrics.connections.ejected.inc([listener]),
  };
}

function waysOut(
  settings: SidecarSettings,
  { clock }: Surroundings,
  { store, registry, parts }: { store: PublishedIdentity; registry: ConnectionRegistry; parts: ListenerParts },
): WaysOut {
  const { limits, tunnel, balance } = settings;
  const { connectSeconds, handshakeSeconds } = limits;
  const dialing = { store, clock, connectSeconds, handshakeSeconds };
  const tunnels = new SessionPools({
    dialer: new MtlsDialer({ ...dialing, protocols: [TUNNEL_ALPN] }),
    registrar: registry,
    clock,
    limits: tunnelLimits(settings),
    handshakeEnded: (result) => parts.handshakeEnded('outbound', result),
    idleSeconds: tunnel.idleSeconds,
    mostSessions: tunnel.sessions,
  });
  return { dialer: new MtlsDialer(dialing), tunnels, balance };
}

function tunnelLimits({ tunnel: { streams } }: SidecarSettings): TunnelLimits {
  return { ...TUNNEL_LIMITS, streams };
}

function boundOf(listeners: readonly Listener[]): Bound {
  return Object.fromEntries(listeners.flatMap(({ name, bound }) => (bound ? [[name, bound] as const] : [])));
}
