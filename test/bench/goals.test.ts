import { expect } from 'chai';
import { type Goal, judge } from './goals.ts';
import type { HopReport } from './hop-bench.ts';
import { type RowExample, reportOf } from './report-example.ts';

const idleOf = (entryAt: readonly [number, number]): HopReport['idle'] =>
  [256, 1024].map((connections, at) => ({
    row: 'sallyport-tcp',
    connections,
    entry: { rss: 0, pss: 0, own: entryAt[at]! },
    exit: { rss: 0, pss: 0, own: 20_000 },
  }));

function goal(what: string, examples: readonly RowExample[], idle: HopReport['idle'] = [], cores = 8): Goal {
  return judge(reportOf(examples, { idle }), cores).find((one) => one.what.startsWith(what))!;
}

describe('the goals of the data plane', () => {
  const haproxy = { row: 'haproxy-http', micros: [100, 100, 100] };

  it('is met at the limit and missed just above it', () => {
    expect(goal('CPU, HTTP-aware, 64', [haproxy, { row: 'sallyport-http', micros: [50, 50, 50] }]).verdict).to.equal(
      'met',
    );
    expect(goal('CPU, HTTP-aware, 64', [haproxy, { row: 'sallyport-http', micros: [51, 51, 51] }]).verdict).to.equal(
      'missed',
    );
  });

  it('judges the tunnel when it ran, else one connection each, and says which', () => {
    const rows = [haproxy, { row: 'sallyport-http-mtls', micros: [300] }];
    expect(goal('CPU, HTTP-aware, 64', rows)).to.include({ figure: '3.00 (sallyport-http-mtls)', verdict: 'missed' });
    expect(goal('CPU, HTTP-aware, 64', [...rows, { row: 'sallyport-http', micros: [40] }])).to.include({
      figure: '0.40 (sallyport-http)',
      verdict: 'met',
    });
  });

  it('is open, not missed, when the rival or we did not run', () => {
    expect(goal('CPU, HTTP-aware, 64', [haproxy]).verdict).to.equal('open');
    expect(goal('CPU, HTTP-aware, 64', [{ row: 'sallyport-http', micros: [40] }])).to.include({
      figure: '-',
      verdict: 'open',
    });
  });

  it('does not take one number of connections for another', () => {
    const load = { kind: '1k', connections: 8 } as const;
    expect(goal('CPU, HTTP-aware, 64', [haproxy, { row: 'sallyport-http', load, micros: [40] }]).verdict).to.equal(
      'open',
    );
  });

  it('wants latency no worse at 8 connections', () => {
    const load = { kind: '1k', connections: 8 } as const;
    const at8 = (p50: number): RowExample[] => [
      { row: 'haproxy-http', load, micros: [100], p50: 0.3 },
      { row: 'sallyport-http', load, micros: [80], p50 },
    ];
    expect(goal('p50', at8(0.3)).verdict).to.equal('met');
    expect(goal('p50', at8(0.31)).verdict).to.equal('missed');
  });

  it('wants more of what is a rate', () => {
    const load = { kind: 'bulk', connections: 4 } as const;
    const same: RowExample[] = ['nginx-stream', 'sallyport-tcp'].map((row) => ({ row, load, micros: [1] }));
    expect(goal('bulk MB/s, TCP', same)).to.include({ figure: '1.00 (sallyport-tcp)', verdict: 'missed' });
  });

  it('leaves open what a small machine cannot show', () => {
    const same: RowExample[] = ['sallyport-http', 'sallyport-http-2-workers'].map((row) => ({ row, micros: [1] }));
    expect(goal('req/s, two workers', same, [], 8).verdict).to.equal('missed');
    expect(goal('req/s, two workers', same, [], 2)).to.include({ verdict: 'open' });
    expect(goal('req/s, two workers', same, [], 2).wanted).to.include('on 6 cores');
  });

  it('judges an idle tunnel by the costlier side', () => {
    expect(goal('an idle tunnel', [], idleOf([30_000, 35_000])).verdict).to.equal('met');
    expect(goal('an idle tunnel', [], idleOf([30_000, 37_000])).verdict).to.equal('missed');
    expect(goal('an idle tunnel', []).verdict).to.equal('open');
  });

  it('judges private memory with 256 tunnels', () => {
    expect(goal('private memory', [], idleOf([51_200, 60_000])).verdict).to.equal('met');
    expect(goal('private memory', [], idleOf([51_300, 60_000])).verdict).to.equal('missed');
  });
});
