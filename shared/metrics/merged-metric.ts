/**
 * One metric that is counted in several threads: the sum of every thread's series, under one name. Sums are right
 * for counters, for the buckets of histograms and for gauges that count things. It counts nothing itself.
 */
import type { Metric, MetricKind, Sample } from './metrics.ts';

export class MergedMetric implements Metric {
  readonly name: string;
  readonly help: string;
  readonly kind: MetricKind;
  readonly labels: readonly string[];
  readonly #own: Metric;
  readonly #others: (name: string) => readonly Sample[];

  /** @param others the samples of that metric in all other threads, as last told */
  constructor(own: Metric, others: (name: string) => readonly Sample[]) {
    this.name = own.name;
    this.help = own.help;
    this.kind = own.kind;
    this.labels = own.labels;
    this.#own = own;
    this.#others = others;
  }

  samples(): Sample[] {
    const sums = new Map<string, { name: string; labels: Sample['labels']; value: number }>();
    for (const { name, labels, value } of [...this.#own.samples(), ...this.#others(this.name)]) {
      const key = `${name} ${JSON.stringify(labels)}`;
      const sum = sums.get(key);
      if (sum) sum.value += value;
      else sums.set(key, { name, labels, value });
    }
    return [...sums.values()];
  }
}
