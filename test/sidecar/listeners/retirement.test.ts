import { expect } from 'chai';
import { retirementOf } from '../../../sidecar/listeners/retirement.ts';

const HOUR = 3_600_000;

describe('retirement of a connection', () => {
  it('comes a little before the end, and the cut a grace after it', () => {
    const accepted = retirementOf({ openedAt: 0, endsAt: HOUR, role: 'accepted' }, 30);
    expect(accepted).to.deep.equal({ retireAt: HOUR - 5_000, endsAt: HOUR, cutAt: HOUR + 30_000 });
  });

  it('takes no more than a share of a short life', () => {
    expect(retirementOf({ openedAt: 0, endsAt: 10_000, role: 'accepted' }, 0).retireAt).to.equal(9_000);
    expect(retirementOf({ openedAt: 0, endsAt: 10_000, role: 'dialed' }, 0).retireAt).to.equal(8_000);
  });

  it('comes earlier for who dials, so that no request meets a closing connection', () => {
    for (const endsAt of [100, 5_000, 30_000, HOUR]) {
      const [dialed, accepted] = (['dialed', 'accepted'] as const).map((role) =>
        retirementOf({ openedAt: 0, endsAt, role }, 0),
      );
      expect(dialed!.retireAt, String(endsAt)).to.be.lessThan(accepted!.retireAt);
    }
  });

  it('is at once for a connection that should not have been opened', () => {
    expect(retirementOf({ openedAt: 1000, endsAt: 500, role: 'accepted' }, 1).retireAt).to.equal(500);
  });
});
