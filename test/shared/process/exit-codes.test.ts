import { expect } from 'chai';
import { Refusal } from '../../../shared/errors/refusal.ts';
import { EXIT, exitCodeOf } from '../../../shared/process/exit-codes.ts';

describe('exit codes', () => {
  it('are all different', () => {
    const codes = Object.values(EXIT).map(({ code }) => code);
    expect(new Set(codes)).to.have.length(codes.length);
  });

  it('tell what kind of refusal ended a program', () => {
    const of = (code: ConstructorParameters<typeof Refusal>[0]): number => exitCodeOf(new Refusal(code));
    expect(of('usage_invalid')).to.equal(2);
    expect(of('config_invalid')).to.equal(3);
    expect([of('authority_key_mismatch'), of('authority_out_of_date'), of('file_permissions_open')]).to.deep.equal([
      4, 4, 4,
    ]);
    expect([of('address_in_use'), of('address_unusable')]).to.deep.equal([5, 5]);
    expect([of('journal_unavailable'), exitCodeOf(new Error('x')), exitCodeOf(undefined)]).to.deep.equal([1, 1, 1]);
  });
});
