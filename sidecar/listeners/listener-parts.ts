/** What compose.ts hands to every listener. */
import type { Clock, Randomness } from '../../shared/clock/clock.ts';
import type { Refusal } from '../../shared/errors/refusal.ts';
import type { Log } from '../../shared/log/log.ts';
import type { PublishedIdentity } from '../identity/identity.ts';
import type { HttpLimits } from '../relay/http-limits.ts';
import type { Direction } from '../relay/relay.ts';
import { type AccessLog, accessLogTo, noAccessLog } from '../telemetry/access-log.ts';
import type { WorkloadLabels } from '../telemetry/istio-labels.ts';
import type { TrafficMetrics } from '../telemetry/traffic-metrics.ts';
import type { ConnectionRegistry } from './connection-registry.ts';

export interface ListenerLimits extends HttpLimits {
  /** Open connections per listener. */
  readonly connections: number;
  readonly handshakeSeconds: number;
  readonly connectSeconds: number;
  /** How long `auto` waits for first bytes. */
  readonly detectMs: number;
}

export interface ListenerParts {
  readonly store: PublishedIdentity;
  readonly registry: ConnectionRegistry;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly log: Log;
  readonly limits: ListenerLimits;
  /** Labels of the metrics only. */
  readonly workload: WorkloadLabels;
  readonly traffic: TrafficMetrics;
  readonly accessLog: 'off' | 'debug' | 'info';
  /** Once for everything that is refused or cut. */
  readonly refused: (refusal: Refusal) => void;
  /** Other threads of this process listen on the same ports. */
  readonly sharesPorts: boolean;
  /** The calls of an HTTP/2 connection are not counted any more. */
  readonly callsLost: (reason: string) => void;
  /** An endpoint of a destination was left alone. */
  readonly endpointEjected: (listener: string) => void;
  /** How every handshake ended: `ok` or the code of the refusal. */
  readonly handshakeEnded: (direction: Direction, result: string) => void;
}

export function accessLogOf(level: ListenerParts['accessLog'], log: Log): AccessLog {
  return level === 'off' ? noAccessLog : accessLogTo(log, level);
}
