import { expect } from 'chai';
import fc from 'fast-check';
import { grantIdentity, type IdentityPolicy } from '../../../citadel/registry/identity-rules.ts';
import { verdictOn } from '../../support/refusals.ts';

const POLICY: IdentityPolicy = {
  trustDomain: 'cluster.local',
  defaultSeconds: 3600,
  minSeconds: 300,
  maxSeconds: 86_400,
  backdateSeconds: 60,
};
const WEB = { namespace: 'shop', serviceAccount: 'web' };
const NOW = Date.UTC(2026, 5, 1, 12, 0, 0);
const FAR = NOW + 30 * 86_400_000;

const code = (ttl: number | undefined, issuerNotAfter = FAR): string =>
  verdictOn(() => grantIdentity(POLICY, WEB, ttl, NOW, issuerNotAfter));

describe('the identity rules', () => {
  it('make the SPIFFE ID from namespace and service account', () => {
    expect(grantIdentity(POLICY, WEB, undefined, NOW, FAR).spiffeId.uri).to.equal(
      'spiffe://cluster.local/ns/shop/sa/web',
    );
  });

  it('grant the default lifetime, from a minute ago', () => {
    const { notBefore, notAfter } = grantIdentity(POLICY, WEB, undefined, NOW, FAR);
    expect([notBefore - NOW, notAfter - NOW]).to.deep.equal([-60_000, 3_600_000]);
  });

  it('grant the lifetime that was asked for, up to both ends of the policy', () => {
    for (const seconds of [300, 1234, 86_400]) {
      expect(grantIdentity(POLICY, WEB, seconds, NOW, FAR).notAfter - NOW).to.equal(seconds * 1000);
    }
  });

  for (const seconds of [299, 86_401, 0, -1, 300.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    it(`refuse a lifetime of ${seconds} s: it is never bent to what is allowed`, () => {
      expect(code(seconds)).to.equal('lifetime_out_of_policy');
    });
  }

  it('never let a leaf outlive its issuer', () => {
    expect(grantIdentity(POLICY, WEB, undefined, NOW, NOW + 1_800_999).notAfter).to.equal(NOW + 1_800_000);
  });

  it('refuse rather than grant less than the minimum', () => {
    expect(code(undefined, NOW + 300_000)).to.equal('accepted');
    expect(code(undefined, NOW + 299_999)).to.equal('authority_expired');
    expect(code(undefined, NOW - 1)).to.equal('authority_expired');
  });

  for (const name of ['', '.', '..', 'a/b', 'wéb', 'a%2fb', 'a b', 'sa/../admin']) {
    it(`refuse the service account ${JSON.stringify(name)}`, () => {
      expect(verdictOn(() => grantIdentity(POLICY, { ...WEB, serviceAccount: name }, undefined, NOW, FAR))).to.equal(
        'identity_not_derivable',
      );
      expect(verdictOn(() => grantIdentity(POLICY, { ...WEB, namespace: name }, undefined, NOW, FAR))).to.equal(
        'identity_not_derivable',
      );
    });
  }

  it('give whole seconds and a life within policy and issuer, whatever the clock says', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2 ** 30, max: 2 ** 42 }),
        fc.integer({ min: 300, max: 86_400 }),
        fc.integer({ min: 400_000, max: 90_000_000 }),
        (now, ttl, left) => {
          const { notBefore, notAfter } = grantIdentity(POLICY, WEB, ttl, now, now + left);
          expect([notBefore % 1000, notAfter % 1000]).to.deep.equal([0, 0]);
          expect(notBefore).to.be.within(now - 61_000, now - 60_000);
          expect(notAfter).to.be.at.most(Math.min(now + ttl * 1000, now + left));
          expect(notAfter - now).to.be.greaterThan(298_000);
        },
      ),
    );
  });
});
