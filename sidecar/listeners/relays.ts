/** The relay for a listener's protocol, wired to what counts and logs. The one place that knows all implementations. */
import type { Clock, Randomness } from '../../shared/clock/clock.ts';
import type { Refusal } from '../../shared/errors/refusal.ts';
import type { Log } from '../../shared/log/log.ts';
import type { HttpLimits } from '../relay/http-limits.ts';
import { Http1Relay } from '../relay/http1-relay.ts';
import type { Relay, RelayProtocol } from '../relay/relay.ts';
import { TcpRelay } from '../relay/tcp-relay.ts';
import type { Upstream } from '../relay/upstream.ts';
import type { AccessLog } from '../telemetry/access-log.ts';
import type { ListenerTraffic } from '../telemetry/traffic-metrics.ts';

export interface RelayParts {
  readonly protocol: RelayProtocol;
  readonly upstream: Upstream;
  readonly limits: HttpLimits;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly log: Log;
  readonly traffic: ListenerTraffic;
  readonly accessLog: AccessLog;
  readonly refused: (refusal: Refusal) => void;
}

export function createRelay(parts: RelayParts): Relay {
  const { protocol, upstream, limits, clock, randomness, log, traffic, accessLog, refused } = parts;
  if (protocol === 'http') {
    const observer = {
      requestServed: (served: Parameters<AccessLog['request']>[0]) => {
        traffic.requestServed(served);
        accessLog.request(served);
      },
      refused,
    };
    return new Http1Relay({ upstream, limits, clock, randomness, log, observer });
  }
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
  return new TcpRelay({ upstream, idleSeconds: limits.idleSeconds, clock, log, observer });
}
