import { expect } from 'chai';
import fc from 'fast-check';
import { renewAt, retryCapMs } from '../../../sidecar/identity/renewal-schedule.ts';

const HOUR = 3_600_000;

describe('renewal schedule', () => {
  it('spreads sidecars that started together over a fifth of the lifetime', () => {
    const moments = [0, 0.999].map((draw) => renewAt({ installedAt: 0, notAfter: HOUR }, draw));
    expect(moments[1]! - moments[0]!).to.be.closeTo(HOUR / 5, HOUR / 500);
  });

  it('renews at half of the life on average, whatever came before it was installed', () => {
    expect(renewAt({ installedAt: 1000, notAfter: 1000 + HOUR }, 0.5)).to.equal(1000 + HOUR / 2);
  });

  it('always leaves at least 40 % of the life for further tries', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 4e12 }),
        fc.integer({ min: 1, max: 1e10 }),
        fc.double({ min: 0, max: 0.999999, noNaN: true }),
        (installedAt, life, draw) => {
          const at = renewAt({ installedAt, notAfter: installedAt + life }, draw);
          expect((at - installedAt) / life).to.be.within(0.3999, 0.6001);
        },
      ),
    );
  });
});

describe('patience after a failure', () => {
  it('is the cap while a certificate lasts long', () => {
    expect(retryCapMs(HOUR, 30_000)).to.equal(30_000);
  });

  it('shrinks as the end comes near', () => {
    expect(retryCapMs(100_000, 30_000)).to.equal(10_000);
  });

  it('is four seconds without a certificate, so that a sidecar is back within five of citadel', () => {
    expect(retryCapMs(0, 30_000)).to.equal(4_000);
    expect(retryCapMs(-HOUR, 30_000)).to.equal(4_000);
  });

  it('never exceeds what is configured', () => {
    expect(retryCapMs(0, 1_000)).to.equal(1_000);
  });
});
