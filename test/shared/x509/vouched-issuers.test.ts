import { expect } from 'chai';
import { VouchedIssuers } from '../../../shared/x509/vouched-issuers.ts';

const der = (at: number): Buffer => Buffer.from([0x30, 1, at]);

describe('the intermediates that an authority has signed', () => {
  it('are known by their bytes, as they were', () => {
    const vouched = new VouchedIssuers();
    const first = der(1);
    vouched.add(first);
    first[2] = 2;
    expect([1, 2].map((at) => vouched.has(der(at)))).to.deep.equal([true, false]);
  });

  it('are few: the oldest makes room', () => {
    const vouched = new VouchedIssuers();
    for (let at = 0; at < 9; at++) vouched.add(der(at));
    expect([0, 1, 8].map((at) => vouched.has(der(at)))).to.deep.equal([false, true, true]);
  });
});
