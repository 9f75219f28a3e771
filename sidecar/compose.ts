/**
 * The one place that knows which implementation stands behind which part, and in which order things start and stop.
 * It holds no rules: what it wires is decided by the settings.
 */
import { readVersion } from '../shared/cli/version.ts';
import type { Clock, Randomness } from '../shared/clock/clock.ts';
import type { PlainHttpServer } from '../shared/http/plain-http-server.ts';
import type { Log } from '../shared/log/log.ts';
import { Exposition } from '../shared/metrics/exposition.ts';
import type { ListenAddress } from '../shared/process/listen-address.ts';
import { createAdminServer, createHealthServer, createMetricsServer } from './admin/operator-pages.ts';
import { composeIdentity, type IdentityParts } from './compose-identity.ts';
import { boundOf, composeListeners, type ListenerSet } from './compose-listeners.ts';
import { SIDECAR_SETTINGS, type SidecarSettings } from './config.ts';
import { drain } from './lifecycle/drain.ts';
import { openTogether } from './lifecycle/open-together.ts';
import { identityCondition, listenersCondition, Readiness, trustCondition } from './lifecycle/readiness.ts';
import { IdentityMetrics } from './telemetry/identity-metrics.ts';

export interface Surroundings {
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly log: Log;
}

export interface SidecarPorts {
  readonly admin: ListenAddress;
  readonly metrics: ListenAddress;
  readonly health: ListenAddress;
  /** By the name of the listener. */
  readonly inbound: Readonly<Record<string, ListenAddress>>;
  readonly outbound: Readonly<Record<string, ListenAddress>>;
}

export interface Sidecar {
  readonly ports: SidecarPorts;
  /** Asks for a new certificate with the token and under the roots that are in the files now. */
  reload(): void;
  /** Drains and ends. @returns false when connections had to be cut */
  stop(): Promise<boolean>;
}

/** What a running sidecar is made of. */
interface Parts {
  readonly metrics: IdentityMetrics;
  readonly identity: IdentityParts;
  readonly listeners: ListenerSet;
  readonly readiness: Readiness;
}

/** Resolves when every port is open; it is ready with the first certificate. @throws {Refusal} when a port cannot be opened */
export async function startSidecar(settings: SidecarSettings, around: Surroundings): Promise<Sidecar> {
  await using opened = new AsyncDisposableStack();
  const parts = composeParts(settings, around);
  const { identity, listeners, readiness } = parts;
  const stopping = new AbortController();
  opened.defer(() => identity.source.close());
  opened.defer(() => stopping.abort());
  const announce = readinessAnnouncement(parts, around);
  // The way to citadel and back is the longest part of a start: ports are opened meanwhile.
  identity.start(stopping.signal);
  opened.defer(() => listeners.close());
  const [operator] = await openTogether([openOperatorPorts(settings, around, parts, opened), listeners.open()]);
  const ports = { ...operator, inbound: boundOf(listeners.inbound), outbound: boundOf(listeners.outbound) };
  around.log.info('started', { ...ports, trustDomain: settings.trustDomain });
  announce();
  const running = opened.move();
  return {
    ports,
    reload: () => identity.renewal.renewNow(),
    async stop() {
      const { inbound, outbound, registry } = listeners;
      const clean = await drain({
        ...around,
        readiness,
        inbound,
        outbound,
        connections: registry,
        seconds: settings.limits.drainSeconds,
      });
      await running.disposeAsync();
      return clean;
    },
  };
}

function composeParts(settings: SidecarSettings, around: Surroundings): Parts {
  const metrics = new IdentityMetrics(readVersion());
  const identity = composeIdentity(settings, around, metrics);
  const { store, renewal } = identity;
  const listeners = composeListeners(settings, around, { store, metrics });
  const readiness = new Readiness({
    identity: identityCondition(store, around.clock, () => renewal.state.lastFailure?.code),
    trust: trustCondition(store),
    listeners: listenersCondition([...listeners.inbound, ...listeners.outbound]),
  });
  return { metrics, identity, listeners, readiness };
}

/** Says once that traffic can flow, with the time since the process began: what a start is measured by. */
function readinessAnnouncement({ identity: { store }, readiness }: Parts, { log }: Surroundings): () => void {
  const announce = (): void => {
    if (readiness.missing().length > 0) return;
    stop();
    log.info('ready', { spiffeId: store.identity?.spiffeId.uri, afterMs: Math.round(process.uptime() * 1000) });
  };
  const stop = store.onChange(announce);
  return announce;
}

async function openOperatorPorts(
  settings: SidecarSettings,
  { clock, log }: Surroundings,
  { metrics, identity, listeners, readiness }: Parts,
  opened: AsyncDisposableStack,
): Promise<Pick<SidecarPorts, 'admin' | 'metrics' | 'health'>> {
  const beforeScrape = (): void => metrics.ready.set([], readiness.missing().length === 0 ? 1 : 0);
  const exposition = new Exposition([...metrics.all(), ...listeners.metrics], { beforeScrape });
  // Loaded when somebody asks: most sidecars are never asked.
  const config = async (): Promise<string> =>
    (await import('../shared/config/print-settings.ts')).printSettings(SIDECAR_SETTINGS, settings);
  const servers = {
    admin: createAdminServer({ ...identity, clock, connections: listeners.registry, config, log }),
    metrics: createMetricsServer({ exposition, log }),
    health: createHealthServer({ readiness, log }),
  };
  const open = (name: keyof typeof servers): Promise<ListenAddress> =>
    openPort(servers[name], settings[name].listen, opened);
  const [admin, scraped, health] = await openTogether([open('admin'), open('metrics'), open('health')]);
  return { admin, metrics: scraped, health };
}

function openPort(server: PlainHttpServer, address: string, opened: AsyncDisposableStack): Promise<ListenAddress> {
  opened.defer(() => server.close());
  return server.listen(address);
}
