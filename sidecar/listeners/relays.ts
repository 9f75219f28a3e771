/** The relay for a listener's protocol, wired to what counts and logs. The one place that knows all implementations. */
import type { Clock, Randomness } from '../../shared/clock/clock.ts';
import type { Refusal } from '../../shared/errors/refusal.ts';
import type { Log } from '../../shared/log/log.ts';
import { balancedUpstream } from '../relay/balanced-upstream.ts';
import type { Destination } from '../relay/destination.ts';
import { DetectingRelay } from '../relay/detecting-relay.ts';
import { H2Calls } from '../relay/h2-calls.ts';
import type { HttpLimits } from '../relay/http-limits.ts';
import { Http1Relay } from '../relay/http1-relay.ts';
import type { Relay, RelayProtocol } from '../relay/relay.ts';
import { TcpRelay, type TcpRelayOptions } from '../relay/tcp-relay.ts';
import type { AccessLog } from '../telemetry/access-log.ts';
import type { ListenerTraffic } from '../telemetry/traffic-metrics.ts';

export interface RelayParts {
  readonly protocol: RelayProtocol;
  readonly destination: Destination;
  readonly limits: HttpLimits & { readonly detectMs: number };
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly log: Log;
  readonly traffic: ListenerTraffic;
  readonly accessLog: AccessLog;
  readonly refused: (refusal: Refusal) => void;
  /** The calls of an HTTP/2 connection are not counted any more. */
  readonly callsLost: (reason: string) => void;
}

export function createRelay(parts: RelayParts): Relay {
  switch (parts.protocol) {
    case 'http':
      return httpRelay(parts);
    case 'h2':
      return bytesRelay(parts, callsOf(parts));
    case 'tcp':
      return bytesRelay(parts);
    case 'auto':
      return detectingRelay(parts);
  }
}

function httpRelay({ destination, limits, clock, randomness, log, ...parts }: RelayParts): Relay {
  const { traffic, accessLog, refused } = parts;
  const observer = {
    requestServed: (served: Parameters<AccessLog['request']>[0]) => {
      traffic.requestServed(served);
      accessLog.request(served);
    },
    refused,
  };
  return new Http1Relay({ destination, limits, clock, randomness, log, observer });
}

function bytesRelay(
  { destination, limits, clock, log, traffic, accessLog, refused }: RelayParts,
  calls?: TcpRelayOptions['calls'],
): Relay {
  const observer = {
    connectionOpened: (who: Parameters<ListenerTraffic['connectionOpened']>[0]) => {
      const flow = traffic.connectionOpened(who);
      return {
        flowed: (sentBytes: number, receivedBytes: number) => flow.flowed(sentBytes, receivedBytes),
        closed: (served: Parameters<AccessLog['connection']>[0]) => {
          flow.closed(served);
          accessLog.connection(served);
        },
      };
    },
    refused,
  };
  const upstream = balancedUpstream(destination);
  return new TcpRelay({ upstream, idleSeconds: limits.idleSeconds, clock, log, observer, ...(calls ? { calls } : {}) });
}

/** What counts the calls of one connection; a connection that cannot be read is carried on. */
function callsOf({ clock, traffic, accessLog, destination, log, callsLost }: RelayParts): TcpRelayOptions['calls'] {
  const served = (call: Parameters<AccessLog['request']>[0]): void => {
    traffic.requestServed(call);
    accessLog.request(call);
  };
  const resetCode = destination.kind === 'app' ? 'app_reset' : 'upstream_reset';
  const lost = (reason: string): void => {
    callsLost(reason);
    log.debug('h2_calls_uncounted', { reason });
  };
  return (who) => new H2Calls({ clock, who, resetCode, served, lost });
}

function detectingRelay(parts: RelayParts): Relay {
  const { destination, limits, clock, log, refused } = parts;
  return new DetectingRelay({
    http: httpRelay(parts),
    h2: bytesRelay(parts, callsOf(parts)),
    tcp: bytesRelay(parts),
    upstream: balancedUpstream(destination),
    clock,
    patienceMs: limits.detectMs,
    undecidedMs: limits.headerSeconds * 1000,
    idleSeconds: limits.idleSeconds,
    log,
    refused,
  });
}
