/** An endpoint that keeps failing is left alone for a while, and never all of them. */
import { expect } from 'chai';
import {
  afterFailure,
  afterSuccess,
  isOut,
  mayEject,
  type OutlierRecord,
  UNBLEMISHED,
} from '../../../sidecar/balance/outlier.ts';

const RULES = { failures: 3, ejectionMs: 10_000, longestMs: 25_000, mostShare: 0.5 };

function failing(times: number, from: OutlierRecord = UNBLEMISHED, now = 0): OutlierRecord {
  let record = from;
  for (let at = 0; at < times; at++) record = afterFailure(record, now, RULES, true);
  return record;
}

describe('outlier ejection', () => {
  it('leaves an endpoint in until it has failed so many times in a row', () => {
    expect(isOut(failing(2), 0)).to.equal(false);
    expect(isOut(failing(3), 0)).to.equal(true);
  });

  it('forgets failures at a success', () => {
    expect(isOut(failing(2, afterSuccess(failing(2))), 0)).to.equal(false);
  });

  it('lets it back after its time, and sends it away longer at the very next failure', () => {
    const first = failing(3);
    expect([isOut(first, 9_999), isOut(first, 10_000)]).to.deep.equal([true, false]);
    const second = failing(1, first, 10_000);
    expect([isOut(second, 29_999), isOut(second, 30_000)]).to.deep.equal([true, false]);
  });

  it('has a longest time', () => {
    let record = failing(3);
    for (let turn = 0; turn < 5; turn++) record = failing(1, record, record.outUntil);
    const again = failing(1, record, record.outUntil);
    expect(again.outUntil - record.outUntil).to.equal(25_000);
  });

  it('never takes a longer share than allowed, and never the only one', () => {
    expect([mayEject(0, 1, RULES), mayEject(0, 2, RULES), mayEject(1, 2, RULES), mayEject(1, 4, RULES)]).to.deep.equal([
      false,
      true,
      false,
      true,
    ]);
  });

  it('does not go out while too many others are, however it fails', () => {
    let record = UNBLEMISHED;
    for (let at = 0; at < 20; at++) record = afterFailure(record, 0, RULES, false);
    expect(isOut(record, 0)).to.equal(false);
  });
});
