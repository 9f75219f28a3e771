import { expect } from 'chai';
import { RefusalLog } from '../../../citadel/api/refusal-log.ts';
import { createCitadelMetrics } from '../../../citadel/telemetry/citadel-metrics.ts';
import { Refusal } from '../../../shared/errors/refusal.ts';
import type { Log, LogFields } from '../../../shared/log/log.ts';
import { FakeClock } from '../../support/fake-clock.ts';

describe('the log of refusals', () => {
  const opened = () => {
    const lines: { level: string; fields: LogFields }[] = [];
    const at =
      (level: string) =>
      (_event: string, fields: LogFields = {}) =>
        void lines.push({ level, fields });
    const log: Log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), child: () => log };
    const clock = new FakeClock();
    const metrics = createCitadelMetrics('test');
    return { lines, clock, metrics, refusals: new RefusalLog(log, clock, metrics) };
  };

  it('thins out a flood of one code in the log, counts all of it, and tells how many lines are missing', async () => {
    const { lines, clock, metrics, refusals } = opened();
    for (let at = 0; at < 1000; at++) refusals.note('request_refused', new Refusal('route_unknown'), {});
    expect(lines).to.have.length(200);
    expect(metrics.refusals.get(['route_unknown'])).to.equal(1000);
    await clock.advance(1000);
    refusals.note('request_refused', new Refusal('route_unknown'), {});
    expect(lines.at(-1)?.fields).to.include({ code: 'route_unknown', suppressed: 800 });
  });

  it('is not silenced for one code by a flood of another', async () => {
    const { lines, refusals } = opened();
    for (let at = 0; at < 1000; at++) refusals.note('request_refused', new Refusal('route_unknown'), {});
    refusals.note('request_refused', new Refusal('token_expired'), {});
    expect(lines.at(-1)?.fields).to.include({ code: 'token_expired' });
  });

  it('calls faults of our own errors, and what callers do wrong warnings', async () => {
    const { lines, refusals } = opened();
    for (const code of ['citadel_internal', 'token_expired', 'overloaded'] as const)
      refusals.note('request_refused', new Refusal(code), {});
    expect(lines.map(({ level }) => level)).to.deep.equal(['error', 'warn', 'warn']);
  });
});
