/** Everything that a data plane counts: made once per thread, shown as one page. */
import type { Metric } from '../../shared/metrics/metrics.ts';
import { ConnectionMetrics } from './connection-metrics.ts';
import { TrafficMetrics } from './traffic-metrics.ts';

export class DataPlaneMetrics {
  readonly connections = new ConnectionMetrics();
  readonly traffic = new TrafficMetrics();

  all(): readonly Metric[] {
    return [...this.connections.all(), ...this.traffic.all()];
  }
}
