import { spawnSync } from 'node:child_process';
import { expect } from 'chai';
import { Exposition } from '../../../shared/metrics/exposition.ts';
import { Counter, Gauge, Histogram } from '../../../shared/metrics/metrics.ts';

describe('metrics', () => {
  it('count by label, from nothing', () => {
    const counter = new Counter('a_total', 'A.', ['code', 'side']);
    expect(counter.get(['x', 'in'])).to.equal(0);
    counter.inc(['x', 'in']);
    counter.inc(['x', 'in'], 2);
    counter.series(['x', 'out']).value++;
    expect([counter.get(['x', 'in']), counter.get(['x', 'out'])]).to.deep.equal([3, 1]);
    expect(counter.samples()).to.deep.include({ name: 'a_total', labels: { code: 'x', side: 'in' }, value: 3 });
  });

  it('show a counter without labels from the start, at zero', () => {
    expect(new Counter('a_total', 'A.').samples()).to.deep.equal([{ name: 'a_total', labels: {}, value: 0 }]);
  });

  it('set and forget gauges', () => {
    const gauge = new Gauge('a', 'A.', ['which']);
    gauge.set(['x'], 5);
    gauge.set(['x'], 2);
    gauge.set(['y'], 1);
    gauge.remove(['y']);
    expect(gauge.samples()).to.deep.equal([{ name: 'a', labels: { which: 'x' }, value: 2 }]);
  });

  it('put observations into cumulative buckets, bounds included', () => {
    const histogram = new Histogram('a_seconds', 'A.', [1, 2]);
    for (const value of [0.5, 1, 1.5, 9]) histogram.observe(value);
    expect(histogram.samples().map(({ name, labels, value }) => [name, labels['le'], value])).to.deep.equal([
      ['a_seconds_bucket', 1, 2],
      ['a_seconds_bucket', 2, 3],
      ['a_seconds_bucket', '+Inf', 4],
      ['a_seconds_sum', undefined, 12],
      ['a_seconds_count', undefined, 4],
    ]);
  });

  it('are bounded: past the limit new label values are counted together', () => {
    const counter = new Counter('a_total', 'A.', ['caller']);
    const histogram = new Histogram('a_seconds', 'A.', [1], ['caller']);
    for (let at = 0; at < 1500; at++) {
      counter.inc([`caller ${at}`]);
      histogram.observe(1, [`caller ${at}`]);
    }
    expect(counter.samples()).to.have.length(1001);
    expect(counter.get(['other'])).to.equal(500);
    counter.inc(['caller 1']);
    expect(counter.get(['caller 1'])).to.equal(2);
    const counted = histogram
      .samples()
      .find(({ name, labels }) => name === 'a_seconds_count' && labels['caller'] === 'other');
    expect(counted?.value).to.equal(500);
  });
});

describe('the metrics page', () => {
  it('is in the format of Prometheus, with escaped label values', async () => {
    const counter = new Counter('a_total', 'Counts "a".', ['code']);
    counter.inc(['quote " backslash \\ line\nfeed']);
    const histogram = new Histogram('b_seconds', 'B.', [1], ['result']);
    histogram.observe(0.5, ['ok']);
    const { contentType, body } = await new Exposition([counter, histogram]).page();
    expect(contentType).to.match(/^text\/plain; version=0\.0\.4/);
    expect(body).to.include(
      '# HELP a_total Counts "a".\n# TYPE a_total counter\na_total{code="quote \\" backslash \\\\ line\\nfeed"} 1\n',
    );
    expect(body).to.include('# TYPE b_seconds histogram\nb_seconds_bucket{result="ok",le="1"} 1\n');
    expect(body).to.include('b_seconds_count{result="ok"} 1\n').and.to.include('process_resident_memory_bytes');
  });

  it('passes the check of promtool', async () => {
    const counter = new Counter('a_total', 'Counts a.', ['code']);
    counter.inc(['x']);
    const histogram = new Histogram('b_duration_seconds', 'Time of b.', [0.1, 1]);
    histogram.observe(0.5);
    const { body } = await new Exposition([counter, histogram, new Gauge('c', 'State of c.')]).page();
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: body, encoding: 'utf8' });
    expect([status, stdout, stderr]).to.deep.equal([0, '', '']);
  });

  it('shows gauges as they are when it is asked for', async () => {
    const gauge = new Gauge('a', 'A.');
    let asked = 0;
    const exposition = new Exposition([gauge], { beforeScrape: () => gauge.set([], ++asked) });
    expect((await exposition.page()).body).to.include('a 1\n');
    expect((await exposition.page()).body).to.include('a 2\n');
  });
});
