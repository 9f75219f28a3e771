/**
 * Counters, gauges and histograms as plain numbers: an increment is an addition, nothing more. At scrape they
 * are handed to prom-client, which renders them (see exposition.ts). Series are bounded: past the limit of a
 * metric, new label values are counted under `other`, so that no caller can fill the memory of a server.
 */

export type MetricKind = 'counter' | 'gauge' | 'histogram';

/** What a metric is, for the docs and for the scrape. */
export interface MetricDescription {
  readonly name: string;
  readonly kind: MetricKind;
  readonly help: string;
  readonly labels: readonly string[];
}

export interface Sample {
  /** Differs from the metric's own name for `_bucket`, `_sum` and `_count`. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

export interface Metric extends MetricDescription {
  samples(): Sample[];
}

const MOST_SERIES = 1000;

export class Counter implements Metric {
  readonly kind: 'counter' | 'gauge' = 'counter';
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  readonly #series = new Map<string, { values: readonly string[]; value: number }>();

  constructor(name: string, help: string, labels: readonly string[] = []) {
    this.name = name;
    this.help = help;
    this.labels = labels;
    if (labels.length === 0) this.#at([]);
  }

  /** @param values label values in the order of `labels` */
  inc(values: readonly string[] = [], by = 1): void {
    this.#at(values).value += by;
  }

  /** The present value, 0 for a series that was never touched. */
  get(values: readonly string[] = []): number {
    return this.#series.get(values.join('\u0000'))?.value ?? 0;
  }

  /** A handle on one series, for hot paths: the look-up is done once. */
  series(values: readonly string[]): { value: number } {
    return this.#at(values);
  }

  samples(): Sample[] {
    return Array.from(this.#series.values(), ({ values, value }) => ({
      name: this.name,
      labels: labelled(this.labels, values),
      value,
    }));
  }

  protected put(values: readonly string[], value: number): void {
    this.#at(values).value = value;
  }

  protected drop(values: readonly string[]): void {
    this.#series.delete(values.join('\u0000'));
  }

  #at(values: readonly string[]): { value: number } {
    const key = values.join('\u0000');
    const known = this.#series.get(key);
    if (known) return known;
    if (values.length > 0 && this.#series.size >= MOST_SERIES && values.some((value) => value !== 'other')) {
      return this.#at(values.map(() => 'other'));
    }
    const fresh = { values: [...values], value: 0 };
    this.#series.set(key, fresh);
    return fresh;
  }
}

export class Gauge extends Counter {
  override readonly kind = 'gauge';

  set(values: readonly string[], value: number): void {
    this.put(values, value);
  }

  /** Forgets one series, for things that no longer exist. */
  remove(values: readonly string[]): void {
    this.drop(values);
  }
}

export class Histogram implements Metric {
  readonly kind = 'histogram';
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  readonly #bounds: readonly number[];
  readonly #series = new Map<string, Distribution>();

  /** @param bounds upper bounds, rising, in the unit of the metric's name */
  constructor(name: string, help: string, bounds: readonly number[], labels: readonly string[] = []) {
    this.name = name;
    this.help = help;
    this.labels = labels;
    this.#bounds = bounds;
  }

  observe(value: number, values: readonly string[] = []): void {
    this.series(values).observe(value);
  }

  /** A handle on one series, for hot paths. */
  series(values: readonly string[]): Distribution {
    const key = values.join('\u0000');
    const known = this.#series.get(key);
    if (known) return known;
    if (values.length > 0 && this.#series.size >= MOST_SERIES && values.some((value) => value !== 'other')) {
      return this.series(values.map(() => 'other'));
    }
    const fresh = new Distribution(this.#bounds, [...values]);
    this.#series.set(key, fresh);
    return fresh;
  }

  samples(): Sample[] {
    return Array.from(this.#series.values()).flatMap((one) => one.samples(this.name, this.labels));
  }
}

export class Distribution {
  readonly #bounds: readonly number[];
  readonly #values: readonly string[];
  readonly #counts: number[];
  #sum = 0;

  constructor(bounds: readonly number[], values: readonly string[]) {
    this.#bounds = bounds;
    this.#values = values;
    this.#counts = new Array(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    let slot = 0;
    while (slot < this.#bounds.length && value > this.#bounds[slot]!) slot++;
    this.#counts[slot]!++;
    this.#sum += value;
  }

  samples(name: string, names: readonly string[]): Sample[] {
    const labels = labelled(names, this.#values);
    let total = 0;
    const buckets = this.#counts.map((count, slot): Sample => {
      total += count;
      return { name: `${name}_bucket`, labels: { ...labels, le: this.#bounds[slot] ?? '+Inf' }, value: total };
    });
    return [
      ...buckets,
      { name: `${name}_sum`, labels, value: this.#sum },
      { name: `${name}_count`, labels, value: total },
    ];
  }
}

function labelled(names: readonly string[], values: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name, at) => [name, values[at] ?? '']));
}
