/**
 * What every listener of the sidecar has, whichever way it leads: a relay wired to limits, log and metrics, and the
 * port that hands connections to it. Who may connect is decided by the server that the caller makes.
 */
import type net from 'node:net';
import type { Log } from '../../shared/log/log.ts';
import type { Destination } from '../relay/destination.ts';
import type { Direction, Relay, RelayProtocol } from '../relay/relay.ts';
import type { ServiceLabels } from '../telemetry/istio-labels.ts';
import { withThinnedRefusals } from '../telemetry/refusal-lines.ts';
import { Listener } from './listener.ts';
import { accessLogOf, type ListenerParts } from './listener-parts.ts';
import { createRelay } from './relays.ts';

export interface RelayPlan {
  readonly direction: Direction;
  readonly name: string;
  readonly protocol: RelayProtocol;
  readonly destination: Destination;
  /** The service that is called, for metrics. */
  readonly service: ServiceLabels;
}

export interface WiredRelay {
  readonly relay: Relay;
  /** Carries direction and listener; floods of refusals are thinned out. */
  readonly log: Log;
}

export function wireRelay(
  { direction, name, protocol, destination, service }: RelayPlan,
  parts: ListenerParts,
): WiredRelay {
  const { clock, randomness, limits, workload, traffic, refused, callsLost } = parts;
  const log = listenerLog(direction, name, parts);
  const relay = createRelay({
    protocol,
    destination,
    limits,
    clock,
    randomness,
    log,
    traffic: traffic.at({ reporter: direction === 'inbound' ? 'destination' : 'source', workload, service }),
    accessLog: accessLogOf(parts.accessLog, log),
    refused,
    callsLost,
  });
  return { relay, log };
}

export interface PortPlan {
  readonly direction: Direction;
  readonly name: string;
  /** `host:port` */
  readonly listen: string;
  /** In front of the relay, not listening yet. */
  readonly server: net.Server;
  readonly relay: Pick<Relay, 'drain' | 'close'>;
  readonly log: Log;
  /** What is better done before the first connection comes. */
  readonly prepare?: () => Promise<void>;
}

/** Not open yet. */
export function createListener(
  { listen: address, ...plan }: PortPlan,
  { registry, limits, refused, sharesPorts, clock }: ListenerParts,
): Listener {
  const { connections: mostConnections } = limits;
  const { files } = registry;
  return new Listener({ ...plan, address, mostConnections, files, refused, sharesPorts, clock });
}

export function listenerLog(direction: Direction, name: string, { log, clock }: ListenerParts): Log {
  return withThinnedRefusals(log.child({ direction, listener: name }), clock);
}
