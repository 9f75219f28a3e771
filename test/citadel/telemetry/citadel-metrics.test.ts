import { expect } from 'chai';
import { createCitadelMetrics } from '../../../citadel/telemetry/citadel-metrics.ts';

describe('the metrics of citadel', () => {
  const { all } = createCitadelMetrics('test');

  it('follow the Prometheus naming conventions', () => {
    for (const { name, kind } of all) {
      expect(name).to.match(/^citadel_[a-z]+(_[a-z]+)*$/);
      expect(name.endsWith('_total'), name).to.equal(kind === 'counter');
      if (/duration|time/.test(name)) expect(name).to.match(/_seconds$/);
    }
  });

  it('each say in a sentence what they count', () => {
    for (const { name, help } of all) expect(help, name).to.match(/^[A-Z0-9].*[^ ]\.$/);
    expect(new Set(all.map(({ help }) => help))).to.have.length(all.length);
  });

  it('have names of their own', () => {
    expect(new Set(all.map(({ name }) => name))).to.have.length(all.length);
  });

  it('have only labels whose values are from tables of ours', () => {
    const labels = new Set(all.flatMap((metric) => metric.labels));
    expect([...labels]).to.have.members([
      'result',
      'code',
      'kind',
      'call',
      'status',
      'reason',
      'certificate',
      'event',
      'version',
      'node',
    ]);
  });
});
