/**
 * Everything that carries traffic, seen from the rest of the sidecar: it opens, tells what it holds, drains and
 * closes as one, in this thread or in several. Who asks never knows which.
 */
import type { Metric } from '../../shared/metrics/metrics.ts';
import type { ListenAddress } from '../../shared/process/listen-address.ts';
import type { ListedConnection } from './registry-entry.ts';

/** By the name of the listener. */
export type Bound = Readonly<Record<string, ListenAddress>>;

export interface BoundPorts {
  readonly inbound: Bound;
  readonly outbound: Bound;
  /** Absent when there is no app to reach through tunnels. */
  readonly tunnel?: ListenAddress;
}

export interface DataPlane {
  readonly metrics: readonly Metric[];
  /** Brings `metrics` up to date before a scrape. */
  refresh(): Promise<void>;
  connections(): Promise<ListedConnection[]>;
  /** Directions and names of the ports that are not open. */
  closedPorts(): string[];
  /** @throws {Refusal} address_* of the first port that cannot be opened */
  open(): Promise<BoundPorts>;
  /** The ways in close and finish, then the ways out. @returns false when connections had to be cut */
  drain(seconds: number): Promise<boolean>;
  /** Closes every port and cuts every connection. */
  close(): void;
  setLogLevel(level: 'debug' | 'info' | 'warn' | 'error'): void;
}
