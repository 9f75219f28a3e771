import { expect } from 'chai';
import { K1, reportOf } from './report-example.ts';
import { goalsText, layOut, loadTable, reportText } from './table.ts';

const MEMORY = { rss: 3072, pss: 2048, own: 1024 };

describe('the table of the bench', () => {
  it('aligns names to the left and figures to the right', () => {
    const text = layOut([
      ['', 'CPU'],
      ['a-long-name', '7.0'],
      ['b', '123.4'],
    ]);
    expect(text.split('\n')).to.deep.equal(['                 CPU', '  a-long-name    7.0', '  b            123.4']);
  });

  it('shows the median of each row and its ratio to both rivals, round by round', () => {
    const report = reportOf([
      { row: 'nginx-stream', micros: [20, 60, 20] },
      { row: 'haproxy-http', micros: [40, 120, 40] },
      { row: 'sallyport-tcp', micros: [10, 30, 10], p50: 0.5 },
    ]);
    const [head, ...rows] = loadTable(report, K1);
    const ours = Object.fromEntries(head!.map((name, at) => [name, rows[2]![at]]));
    expect(ours).to.deep.equal({
      '': 'sallyport-tcp',
      'CPU us/request': '10.0',
      first: '5.0',
      second: '5.0',
      spread: '200 %',
      'req/s': '500',
      'p50 ms': '0.50',
      'p99 ms': '1.00',
      'x nginx-stream': '0.50',
      'x haproxy-http': '0.25',
    });
  });

  it('has a dash where a rival did not run', () => {
    const report = reportOf([{ row: 'sallyport-tcp', micros: [10] }]);
    expect(loadTable(report, K1)[1]!.slice(-2)).to.deep.equal(['-', '-']);
  });

  it('counts bulk in megabytes per second and CPU per gigabyte', () => {
    const load = { kind: 'bulk', connections: 4 } as const;
    const [head, row] = loadTable(reportOf([{ row: 'nginx-stream', load, micros: [400] }]), load);
    expect(head!.slice(1, 2)).to.deep.equal(['CPU ms/GB']);
    // 2 GB in 2 s with 400 us x 1000 of CPU
    expect(row![1]).to.equal('200.0');
    expect(row![5]).to.equal('1000');
  });

  it('takes what an idle connection costs from the slope, not from the first one', () => {
    const report = reportOf([], {
      idle: [
        { row: 'a', connections: 256, entry: { ...MEMORY, own: 50_000 }, exit: { ...MEMORY, own: 40_000 } },
        { row: 'a', connections: 1024, entry: { ...MEMORY, own: 57_680 }, exit: { ...MEMORY, own: 40_000 } },
      ],
    });
    // 7680 KiB for 768 connections
    expect(reportText(report)).to.match(/\n {2}a +10\.2 +0\.0 +48\.8 \/ 39\.1 +56\.3 \/ 39\.1/);
  });

  it('names what is not in the table, and leaves out loads that did not run', () => {
    const report = reportOf([{ row: 'a', micros: [1] }], {
      loads: [K1, { kind: 'h2', connections: 8 }],
      missing: [{ row: 'envoy-tcp', why: 'not here' }],
    });
    const text = reportText(report);
    expect(text).to.include('not in the table: envoy-tcp: not here');
    expect(text).not.to.include('HTTP/2');
  });

  it('says when the machine was too busy for the figures', () => {
    expect(reportText(reportOf([{ row: 'a', micros: [10, 11, 12] }]))).not.to.include('busy');
    expect(reportText(reportOf([{ row: 'a', micros: [10, 11, 20] }]))).to.include('that lie more than 30 % apart: 1');
  });

  it('shows each goal with its figure and its verdict', () => {
    const text = goalsText([{ what: 'CPU', wanted: '<= 0.5 x other', figure: '0.45 (ours)', verdict: 'met' }]);
    expect(text.split('\n')[2]).to.match(/^ {2}CPU +<= 0\.5 x other +0\.45 \(ours\) +met$/);
  });
});
