/** What several threads count is shown as if one had counted all of it. */
import { expect } from 'chai';
import fc from 'fast-check';
import { Exposition } from '../../../shared/metrics/exposition.ts';
import { MergedMetric } from '../../../shared/metrics/merged-metric.ts';
import { Counter, Gauge, Histogram, type Metric, type Sample } from '../../../shared/metrics/metrics.ts';
import { seriesIn, sumOf } from '../../support/series.ts';

const BOUNDS = [1, 5, 10];

function merged(own: Metric, ...others: readonly Metric[]): MergedMetric {
  return new MergedMetric(own, (name): Sample[] =>
    others.filter((other) => other.name === name).flatMap((other) => other.samples()),
  );
}

function asOne(samples: readonly Sample[]): Map<string, number> {
  return new Map(samples.map(({ name, labels, value }) => [`${name} ${JSON.stringify(labels)}`, value]));
}

describe('a metric that several threads count', () => {
  it('has every series once, with the sum of all threads, whoever counted what', () => {
    const event = fc.tuple(
      fc.integer({ min: 0, max: 2 }),
      fc.constantFrom('a', 'b', 'c'),
      fc.integer({ min: 1, max: 12 }),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), (events) => {
        const counters = [0, 1, 2].map(() => new Counter('calls_total', 'Calls.', ['code']));
        const histograms = [0, 1, 2].map(() => new Histogram('sizes', 'Sizes.', BOUNDS, ['code']));
        const [counter, histogram] = [
          new Counter('calls_total', 'Calls.', ['code']),
          new Histogram('sizes', 'Sizes.', BOUNDS, ['code']),
        ];
        for (const [thread, code, value] of events) {
          for (const one of [counters[thread]!, counter]) one.inc([code], value);
          for (const one of [histograms[thread]!, histogram]) one.observe(value, [code]);
        }
        for (const [threads, single] of [
          [counters, counter],
          [histograms, histogram],
        ] as const) {
          const [own, ...others] = threads as readonly Metric[];
          const samples = merged(own!, ...others).samples();
          expect(asOne(samples)).to.deep.equal(asOne(single.samples()));
          expect(samples).to.have.length(single.samples().length);
        }
      }),
    );
  });

  it('sums gauges that count things, also below what one thread has', () => {
    const [own, other] = [new Gauge('open', 'Open.', ['leg']), new Gauge('open', 'Open.', ['leg'])];
    own.set(['mtls'], 3);
    other.set(['mtls'], 4);
    other.inc(['mtls'], -2);
    expect(
      merged(own, other)
        .samples()
        .map(({ value }) => value),
    ).to.deep.equal([5]);
  });

  it('takes nothing from another metric, and changes none', () => {
    const own = new Counter('calls_total', 'Calls.');
    const other = new Counter('others_total', 'Others.');
    other.inc([], 7);
    own.inc();
    const both = merged(own, other);
    both.samples();
    expect([both.samples()[0]!.value, own.get(), other.get()]).to.deep.equal([1, 1, 7]);
  });

  it('is one family on the page, as a metric of one thread is', async () => {
    const [own, other] = [new Histogram('sizes', 'Sizes.', BOUNDS), new Histogram('sizes', 'Sizes.', BOUNDS)];
    own.observe(2);
    other.observe(7);
    const { body } = await new Exposition([merged(own, other)]).page();
    const series = seriesIn(body).filter(({ name }) => name.startsWith('sizes'));
    expect(body.match(/^# TYPE sizes histogram$/gm)).to.have.length(1);
    expect([sumOf(series, 'sizes_bucket', { le: '5' }), sumOf(series, 'sizes_bucket', { le: '+Inf' })]).to.deep.equal([
      1, 2,
    ]);
    expect([sumOf(series, 'sizes_sum'), sumOf(series, 'sizes_count')]).to.deep.equal([9, 2]);
  });
});
