/**
 * The Prometheus text page, rendered by prom-client from plain numbers. prom-client is loaded at the first
 * scrape, so that a program is ready before it pays for it; its global registry is never used.
 */
import type { Metric } from './metrics.ts';

export interface ExpositionOptions {
  /** Called before every scrape: the place to set gauges that are derived (ages, sizes). */
  readonly beforeScrape?: () => void | Promise<void>;
}

export interface Page {
  readonly contentType: string;
  readonly body: string;
}

export class Exposition {
  readonly #metrics: readonly Metric[];
  readonly #beforeScrape: () => void | Promise<void>;
  #registry: Promise<import('prom-client').Registry> | undefined;

  constructor(metrics: readonly Metric[], { beforeScrape = () => {} }: ExpositionOptions = {}) {
    this.#metrics = metrics;
    this.#beforeScrape = beforeScrape;
  }

  async page(): Promise<Page> {
    this.#registry ??= buildRegistry(this.#metrics);
    const registry = await this.#registry;
    await this.#beforeScrape();
    return { contentType: registry.contentType, body: await registry.metrics() };
  }
}

/** Gauges of prom-client with the suffix of counters: promtool refuses them, and the others of the same kind tell more. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

async function buildRegistry(metrics: readonly Metric[]): Promise<import('prom-client').Registry> {
  const { Registry, collectDefaultMetrics } = await import('prom-client');
  const registry = new Registry();
  for (const metric of metrics) registry.registerMetric(adapted(metric));
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  return registry;
}

/** What prom-client's registry asks of a metric: a name and `get()`. */
function adapted(metric: Metric): import('prom-client').Metric {
  const { name, help, kind, labels } = metric;
  const get = async () => ({
    name,
    help,
    type: kind,
    aggregator: 'sum',
    values: metric.samples().map((sample) => ({ value: sample.value, labels: sample.labels, metricName: sample.name })),
  });
  return {
    name,
    help,
    type: kind,
    labelNames: labels,
    aggregator: 'sum',
    get,
    reset() {},
  } as unknown as import('prom-client').Metric;
}
