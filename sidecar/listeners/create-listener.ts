/**
 * What every listener of the sidecar has, whichever way it leads: a relay wired to limits, log and metrics, and the
 * port that hands connections to it. Who may connect is decided by the server that the caller makes.
 */
import type net from 'node:net';
import type { Log } from '../../shared/log/log.ts';
import type { Direction, Relay, RelayProtocol } from '../relay/relay.ts';
import type { Upstream } from '../relay/upstream.ts';
import type { ServiceLabels } from '../telemetry/istio-labels.ts';
import { withThinnedRefusals } from '../telemetry/refusal-lines.ts';
import { Listener } from './listener.ts';
import { accessLogOf, type ListenerParts } from './listener-parts.ts';
import { createRelay } from './relays.ts';

export interface ListenerPlan {
  readonly direction: Direction;
  readonly name: string;
  /** `host:port` */
  readonly listen: string;
  readonly protocol: RelayProtocol;
  readonly upstream: Upstream;
  /** The service that is called, for metrics. */
  readonly service: ServiceLabels;
  /** The server in front of the relay, not listening yet. */
  serve(relay: Relay, log: Log): net.Server;
}

/** Not open yet. */
export function createListener(plan: ListenerPlan, parts: ListenerParts): Listener {
  const { direction, name, listen: address, protocol, upstream, service } = plan;
  const { registry, clock, randomness, limits, workload, traffic, refused } = parts;
  const log = withThinnedRefusals(parts.log.child({ direction, listener: name }), clock);
  const relay = createRelay({
    protocol,
    upstream,
    limits,
    clock,
    randomness,
    log,
    traffic: traffic.at({ reporter: direction === 'inbound' ? 'destination' : 'source', workload, service }),
    accessLog: accessLogOf(parts.accessLog, log),
    refused,
  });
  const server = plan.serve(relay, log);
  const { connections: mostConnections } = limits;
  const { files } = registry;
  return new Listener({ name, direction, address, server, relay, mostConnections, files, log, refused });
}
