/** How many connections are open, and how many were ended because the identity behind them ended. */
import { Counter, Gauge, type Metric } from '../../shared/metrics/metrics.ts';

export class ConnectionMetrics {
  readonly open = new Gauge(
    'sidecar_connections',
    'Open connections by direction, listener and leg: mtls with a peer, app with the own app.',
    ['direction', 'listener', 'leg'],
  );
  readonly retired = new Counter(
    'sidecar_connections_retired_total',
    'Connections that were told to end, by reason: expiry, rotation or draining.',
    ['reason'],
  );
  readonly cut = new Counter(
    'sidecar_connections_cut_total',
    'Connections that were cut, by reason: expiry, rotation or draining when their grace was over, distrust at once.',
    ['reason'],
  );

  readonly ejected = new Counter(
    'sidecar_endpoints_ejected_total',
    'Endpoints of a destination that were left alone for a while because they kept failing, by outbound listener.',
    ['listener'],
  );
  readonly callsLost = new Counter(
    'sidecar_h2_uncounted_connections_total',
    'HTTP/2 connections of the app whose calls could not be counted any more, by reason. They were carried on.',
    ['reason'],
  );

  all(): readonly Metric[] {
    return Object.values(this) as Metric[];
  }
}
