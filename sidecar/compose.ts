/**
 * The one place that knows which implementation stands behind which part, and in which order things start and stop.
 * It holds no rules: what it wires is decided by the settings.
 */
import { readVersion } from '../shared/cli/version.ts';
import type { Clock, Randomness } from '../shared/clock/clock.ts';
import type { PlainHttpServer } from '../shared/http/plain-http-server.ts';
import type { LogLevel, ProgramLog } from '../shared/log/log.ts';
import { Exposition } from '../shared/metrics/exposition.ts';
import type { Metric } from '../shared/metrics/metrics.ts';
import type { ListenAddress } from '../shared/process/listen-address.ts';
import { createAdminServer, createHealthServer, createMetricsServer } from './admin/operator-pages.ts';
import { composeDataPlane } from './compose-data-plane.ts';
import { composeIdentity, type IdentityParts } from './compose-identity.ts';
import { SIDECAR_SETTINGS, type SidecarSettings } from './config.ts';
import { openTogether } from './lifecycle/open-together.ts';
import { identityCondition, listenersCondition, Readiness, trustCondition } from './lifecycle/readiness.ts';
import type { Bound, DataPlane } from './listeners/data-plane.ts';
import { IdentityMetrics } from './telemetry/identity-metrics.ts';

export interface Surroundings {
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly log: ProgramLog;
}

export interface SidecarPorts {
  readonly admin: ListenAddress;
  readonly metrics: ListenAddress;
  readonly health: ListenAddress;
  readonly inbound: Bound;
  readonly outbound: Bound;
  readonly tunnel?: ListenAddress;
}

export interface Sidecar {
  readonly ports: SidecarPorts;
  /** Asks for a new certificate with the token and under the roots that are in the files now. */
  reload(): void;
  setLogLevel(level: LogLevel): void;
  /** Drains and ends. @returns false when connections had to be cut */
  stop(): Promise<boolean>;
}

/** What a running sidecar is made of. */
interface Parts {
  readonly metrics: IdentityMetrics;
  readonly identity: IdentityParts;
  readonly plane: DataPlane;
  readonly readiness: Readiness;
}

/** Resolves when every port is open; it is ready with the first certificate. @throws {Refusal} when a port cannot be opened */
export async function startSidecar(settings: SidecarSettings, around: Surroundings): Promise<Sidecar> {
  await using opened = new AsyncDisposableStack();
  const parts = composeParts(settings, around);
  const { identity, plane, readiness } = parts;
  const stopping = new AbortController();
  opened.defer(() => identity.source.close());
  opened.defer(() => stopping.abort());
  const announce = readinessAnnouncement(parts, around);
  // The way to citadel and back is the longest part of a start: ports are opened meanwhile.
  identity.start(stopping.signal);
  opened.defer(() => plane.close());
  const [operator, bound] = await openTogether([openOperatorPorts(settings, around, parts, opened), plane.open()]);
  const ports = { ...operator, ...bound };
  around.log.info('started', { ...ports, trustDomain: settings.trustDomain });
  announce();
  const running = opened.move();
  return {
    ports,
    reload: () => identity.renewal.renewNow(),
    setLogLevel(level) {
      around.log.setLevel(level);
      plane.setLogLevel(level);
    },
    async stop() {
      readiness.drain();
      const clean = await plane.drain(settings.limits.drainSeconds);
      await running.disposeAsync();
      return clean;
    },
  };
}

function composeParts(settings: SidecarSettings, around: Surroundings): Parts {
  const metrics = new IdentityMetrics(readVersion());
  const identity = composeIdentity(settings, around, metrics);
  const { store, renewal } = identity;
  const plane = composeDataPlane(settings, around, { store, counters: metrics });
  const readiness = new Readiness({
    identity: identityCondition(store, around.clock, () => renewal.state.lastFailure?.code),
    trust: trustCondition(store),
    listeners: listenersCondition(plane),
  });
  return { metrics, identity, plane, readiness };
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
  { metrics, identity, plane, readiness }: Parts,
  opened: AsyncDisposableStack,
): Promise<Pick<SidecarPorts, 'admin' | 'metrics' | 'health'>> {
  const beforeScrape = (): Promise<void> => {
    metrics.ready.set([], readiness.missing().length === 0 ? 1 : 0);
    return plane.refresh();
  };
  const exposition = new Exposition(each(metrics.all(), plane.metrics), { beforeScrape });
  // Loaded when somebody asks: most sidecars are never asked.
  const config = async (): Promise<string> =>
    (await import('../shared/config/print-settings.ts')).printSettings(SIDECAR_SETTINGS, settings);
  const servers = {
    admin: createAdminServer({ ...identity, clock, connections: () => plane.connections(), config, log }),
    metrics: createMetricsServer({ exposition, log }),
    health: createHealthServer({ readiness, log }),
  };
  const open = (name: keyof typeof servers): Promise<ListenAddress> =>
    openPort(servers[name], settings[name].listen, opened);
  const [admin, scraped, health] = await openTogether([open('admin'), open('metrics'), open('health')]);
  return { admin, metrics: scraped, health };
}

/** Where a metric is counted in several places, the one that knows all of them. */
function each(own: readonly Metric[], merged: readonly Metric[]): Metric[] {
  const names = new Set(merged.map(({ name }) => name));
  return [...own.filter(({ name }) => !names.has(name)), ...merged];
}

function openPort(server: PlainHttpServer, address: string, opened: AsyncDisposableStack): Promise<ListenAddress> {
  opened.defer(() => server.close());
  return server.listen(address);
}
