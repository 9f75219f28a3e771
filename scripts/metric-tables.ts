/** Every metric of each program, as the code describes it: for the documents, and to hold alerts and dashboard to. */
import { createCitadelMetrics } from '../citadel/telemetry/citadel-metrics.ts';
import type { MetricDescription } from '../shared/metrics/metrics.ts';
import { ConnectionMetrics } from '../sidecar/telemetry/connection-metrics.ts';
import { IdentityMetrics } from '../sidecar/telemetry/identity-metrics.ts';
import { TrafficMetrics } from '../sidecar/telemetry/traffic-metrics.ts';

export function citadelMetrics(): readonly MetricDescription[] {
  return createCitadelMetrics('').all;
}

export function sidecarMetrics(): readonly MetricDescription[] {
  return [new IdentityMetrics(''), new ConnectionMetrics(), new TrafficMetrics()].flatMap((metrics) => metrics.all());
}
