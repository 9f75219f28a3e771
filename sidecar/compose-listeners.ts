/** The listeners of this sidecar, the registry of their connections, and what they count. Wiring only. */
import type { Refusal } from '../shared/errors/refusal.ts';
import type { Metric } from '../shared/metrics/metrics.ts';
import type { ListenAddress } from '../shared/process/listen-address.ts';
import type { Surroundings } from './compose.ts';
import type { SidecarSettings } from './config.ts';
import type { IdentityStore } from './identity/identity-store.ts';
import { openTogether } from './lifecycle/open-together.ts';
import { ConnectionRegistry } from './listeners/connection-registry.ts';
import { createInboundListener } from './listeners/inbound.ts';
import type { Listener } from './listeners/listener.ts';
import type { ListenerParts } from './listeners/listener-parts.ts';
import { createOutboundListener } from './listeners/outbound.ts';
import { ConnectionMetrics } from './telemetry/connection-metrics.ts';
import type { IdentityMetrics } from './telemetry/identity-metrics.ts';
import { TrafficMetrics } from './telemetry/traffic-metrics.ts';
import { MtlsDialer } from './tls/mtls-dialer.ts';

export interface ListenerSet {
  readonly inbound: readonly Listener[];
  readonly outbound: readonly Listener[];
  readonly registry: ConnectionRegistry;
  readonly metrics: readonly Metric[];
  /** @throws {Refusal} address_* of the first port that cannot be opened */
  open(): Promise<void>;
  /** Closes every port and cuts every connection. */
  close(): void;
}

export function composeListeners(
  settings: SidecarSettings,
  around: Surroundings,
  { store, metrics }: { readonly store: IdentityStore; readonly metrics: IdentityMetrics },
): ListenerSet {
  const { limits, workload, log: logging } = settings;
  const { clock } = around;
  const [connections, traffic] = [new ConnectionMetrics(), new TrafficMetrics()];
  const { expiryGraceSeconds, connectSeconds, handshakeSeconds } = limits;
  const registry = new ConnectionRegistry({ ...around, metrics: connections, expiryGraceSeconds });
  const parts: ListenerParts = {
    ...around,
    store,
    registry,
    limits,
    workload,
    traffic,
    accessLog: logging.access,
    refused: ({ code }: Refusal) => metrics.refusals.inc([code]),
    handshakeEnded: (direction, result) => metrics.handshakes.inc([direction, result]),
  };
  const dialer = new MtlsDialer({ store, clock, connectSeconds, handshakeSeconds });
  const inbound = settings.inbound.map((one) => createInboundListener(one, parts));
  const outbound = settings.outbound.map((one) => createOutboundListener(one, { ...parts, dialer }));
  const all = [...inbound, ...outbound];
  const unfollow = registry.followIdentity(store);
  return {
    inbound,
    outbound,
    registry,
    metrics: [...connections.all(), ...traffic.all()],
    async open() {
      await openTogether(all.map((listener) => listener.open()));
    },
    close() {
      unfollow();
      for (const listener of all) listener.close();
    },
  };
}

export function boundOf(listeners: readonly Listener[]): Readonly<Record<string, ListenAddress>> {
  return Object.fromEntries(listeners.flatMap(({ name, bound }) => (bound ? [[name, bound] as const] : [])));
}
