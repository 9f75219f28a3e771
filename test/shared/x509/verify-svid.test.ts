import { expect } from 'chai';
import { systemClock } from '../../../shared/clock/clock.ts';
import { Refusal } from '../../../shared/errors/refusal.ts';
import { anchorOf, anchorsOf } from '../../../shared/x509/trust-anchors.ts';
import { verifyLeafUnder, verifySvid } from '../../../shared/x509/verify-svid.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { BROKEN_PATHS, GOOD_CHAINS } from './path-cases.ts';
import { NO_SVIDS } from './svid-cases.ts';

const CHAIN_CASES = [...GOOD_CHAINS, ...BROKEN_PATHS, ...NO_SVIDS];

const now = systemClock.now();
const HOUR = 3_600_000;
const bundleOf = (...authorities: Buffer[]) => ({
  trustDomain: 'a.test',
  sequence: 1,
  refreshHintSeconds: 300,
  authorities,
});

/** The code of the refusal, or 'accepted'. Anything else that is thrown fails the test. */
function decision(decide: () => unknown): string {
  try {
    decide();
    return 'accepted';
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
}

describe('verification of an SVID', () => {
  for (const { name, code = 'accepted', make } of CHAIN_CASES) {
    it(`${code === 'accepted' ? 'accepts' : 'refuses'} ${name}`, () => {
      const { chain, root } = make();
      expect(decision(() => verifySvid(chain, anchorsOf([bundleOf(root)]), systemClock.now()))).to.equal(code);
    });
  }

  it('decides the same every time, whatever an authority was seen to have signed before', () => {
    for (const { name, code = 'accepted', make } of CHAIN_CASES) {
      const { chain, root } = make();
      const anchors = anchorsOf([bundleOf(root)]);
      for (const round of [1, 2]) {
        expect(
          decision(() => verifySvid(chain, anchors, systemClock.now())),
          `${name}, ${round}`,
        ).to.equal(code);
      }
    }
  });

  it('knows an intermediate by every byte and by the key that signed it', () => {
    const authority = createTestAuthority({ trustDomain: 'a.test' });
    const good = authority.intermediate().svid().chainDer;
    const anchors = anchorsOf([authority.bundle()]);
    const decided = (chain: readonly Buffer[]) => decision(() => verifySvid(chain, anchors, now));
    expect([decided(good), decided(good)]).to.deep.equal(['accepted', 'accepted']);
    const [leaf, intermediate] = good;
    for (let at = 0; at < intermediate!.length; at += 7) {
      const other = Buffer.from(intermediate!);
      other[at]! ^= 1;
      expect(decided([leaf!, other]), `byte ${at}`).not.to.equal('accepted');
    }
    // The authority that replaces it under the same name has signed nothing yet.
    const another = createTestAuthority({ trustDomain: 'a.test' });
    expect(decision(() => verifySvid(good, anchorsOf([another.bundle()]), now))).to.equal('peer_untrusted');
    expect(decided(good)).to.equal('accepted');
  });

  it('tells the ID, the path that was used and the earliest end of all of it', () => {
    const end = Math.floor(now / 1000) * 1000 + 5 * 60_000;
    const authority = createTestAuthority({ trustDomain: 'a.test' });
    const below = authority.intermediate({ notAfter: end });
    const { chainDer } = below.svid();
    const verified = verifySvid([...chainDer, authority.der], anchorsOf([authority.bundle()]), now);
    expect(verified.spiffeId.uri).to.equal('spiffe://a.test/ns/default/sa/web');
    expect(verified.path.map(({ der }) => der)).to.deep.equal(chainDer);
    expect(verified.leaf).to.equal(verified.path[0]);
    expect(verified.notAfter).to.equal(end);
    expect(verifyLeafUnder(chainDer[0]!, anchorOf(below.der), now).notAfter).to.equal(end);
  });

  it('counts both ends of the validity as inside (RFC 5280 §4.1.2.5)', () => {
    const notBefore = Math.floor(now / 1000) * 1000;
    const notAfter = notBefore + HOUR;
    const dates = { notBefore: notBefore - HOUR, notAfter: notAfter + HOUR };
    const authority = createTestAuthority({ trustDomain: 'a.test', ...dates });
    const { chainDer } = authority.svid({ notBefore, notAfter });
    const at = (time: number) => decision(() => verifySvid(chainDer, anchorsOf([authority.bundle()]), time));
    expect(at(notBefore - 1)).to.equal('peer_certificate_not_yet_valid');
    expect(at(notBefore)).to.equal('accepted');
    expect(at(notAfter)).to.equal('accepted');
    expect(at(notAfter + 1)).to.equal('peer_certificate_expired');
  });

  it('takes no authority of another trust domain, though it is trusted for its own', () => {
    const a = createTestAuthority({ trustDomain: 'a.test' });
    const b = createTestAuthority({ trustDomain: 'b.test' });
    const trust = anchorsOf([a.bundle(), b.bundle()]);
    const minted = b.svid({ uri: 'spiffe://a.test/ns/default/sa/web' });
    expect(decision(() => verifySvid(minted.chainDer, trust, now))).to.equal('peer_untrusted');
    expect(decision(() => verifySvid(b.svid().chainDer, trust, now))).to.equal('accepted');
  });

  it('refuses everyone of a trust domain whose bundle is empty', () => {
    const { chainDer } = createTestAuthority({ trustDomain: 'a.test' }).svid();
    expect(decision(() => verifySvid(chainDer, anchorsOf([bundleOf()]), now))).to.equal('peer_untrusted');
  });

  it('accepts under any of several authorities, and under an intermediate that is one itself', () => {
    const [old, young] = [
      createTestAuthority({ trustDomain: 'a.test' }),
      createTestAuthority({ trustDomain: 'a.test' }),
    ];
    const both = anchorsOf([bundleOf(old.der, young.der)]);
    expect(decision(() => verifySvid(old.svid().chainDer, both, now))).to.equal('accepted');
    expect(decision(() => verifySvid(young.svid().chainDer, both, now))).to.equal('accepted');
    const middle = young.intermediate();
    const partial = anchorsOf([bundleOf(middle.der)]);
    expect(verifySvid(middle.svid().chainDer, partial, now).path).to.have.lengthOf(1);
  });

  it('finds the renewed root behind an expired one of the same name and key, in either order', () => {
    const old = createTestAuthority({ trustDomain: 'a.test', notBefore: now - 2 * HOUR, notAfter: now - HOUR });
    const renewed = createTestAuthority({ trustDomain: 'a.test', keys: old.keys });
    const { chainDer } = renewed.svid();
    for (const authorities of [
      [old.der, renewed.der],
      [renewed.der, old.der],
    ]) {
      expect(decision(() => verifySvid(chainDer, anchorsOf([bundleOf(...authorities)]), now))).to.equal('accepted');
    }
    expect(decision(() => verifySvid(chainDer, anchorsOf([bundleOf(old.der)]), now))).to.equal(
      'peer_certificate_expired',
    );
  });

  it('takes a path through a cross-signed root when the old root is what is trusted', () => {
    const old = createTestAuthority({ trustDomain: 'a.test', subject: 'old' });
    const young = createTestAuthority({ trustDomain: 'a.test', subject: 'young' });
    const cross = old.intermediate({ subject: 'young', keys: young.keys });
    const chain = [...young.svid().chainDer, cross.der];
    expect(decision(() => verifySvid(chain, anchorsOf([old.bundle()]), now))).to.equal('accepted');
    expect(decision(() => verifySvid(chain, anchorsOf([young.bundle()]), now))).to.equal('accepted');
  });

  it('does not count self-issued intermediates for path length (RFC 5280 §4.2.1.9)', () => {
    const authority = createTestAuthority({ trustDomain: 'a.test', subject: 'one name', pathLength: 0 });
    const rolled = authority.intermediate({ subject: 'one name' });
    const trust = anchorsOf([authority.bundle()]);
    expect(decision(() => verifySvid(rolled.svid().chainDer, trust, now))).to.equal('accepted');
  });

  it('holds name constraints against every name below but those of self-issued intermediates (RFC 5280 §6.1.3)', () => {
    const authority = createTestAuthority({ trustDomain: 'a.test' });
    const bound = authority.intermediate({ subject: 'bound', nameConstraints: { permitted: ['a.test'] } });
    const foreign = { uris: ['spiffe://b.test'] };
    const decide = (chain: readonly Buffer[]) =>
      decision(() => verifySvid(chain, anchorsOf([authority.bundle()]), now));
    expect(decide(bound.intermediate(foreign).svid().chainDer)).to.equal('peer_name_not_permitted');
    expect(decide(bound.intermediate({ ...foreign, subject: 'bound' }).svid().chainDer)).to.equal('accepted');
    const other = createTestAuthority({ trustDomain: 'a.test', nameConstraints: { permitted: ['b.test'] } });
    const selfIssuedLeaf = other.svid({ subject: 'a.test root' }).chainDer;
    expect(decision(() => verifySvid(selfIssuedLeaf, anchorsOf([other.bundle()]), now))).to.equal(
      'peer_name_not_permitted',
    );
  });

  it('takes a chain of eight certificates', () => {
    const authority = createTestAuthority({ trustDomain: 'a.test' });
    const lowest = Array.from({ length: 7 }).reduce<typeof authority>((above) => above.intermediate(), authority);
    expect(verifySvid(lowest.svid().chainDer, anchorsOf([authority.bundle()]), now).path).to.have.lengthOf(8);
  });

  it('refuses more than eight certificates without looking at them', () => {
    const garbage = Array.from({ length: 9 }, () => Buffer.from('x'));
    expect(decision(() => verifySvid(garbage, anchorsOf([]), now))).to.equal('peer_chain_invalid');
  });

  it('refuses an intermediate that cannot be read, and a chain out of order', () => {
    const authority = createTestAuthority({ trustDomain: 'a.test' });
    const trust = anchorsOf([authority.bundle()]);
    const [first, second] = authority.intermediate().svid().chainDer as [Buffer, Buffer];
    expect(decision(() => verifySvid([first, Buffer.from('x')], trust, now))).to.equal('peer_certificate_malformed');
    expect(decision(() => verifySvid([first], trust, now))).to.equal('peer_untrusted');
    expect(decision(() => verifySvid([first, authority.der, second], trust, now))).to.equal('peer_untrusted');
  });

  it('is held against key identifiers where both certificates have one', () => {
    const authority = createTestAuthority({ trustDomain: 'a.test' });
    const strange = createTestAuthority({ trustDomain: 'a.test' });
    // Signed by the authority's key, but under a certificate whose key identifier is another's.
    const { chainDer } = authority.svid();
    expect(
      decision(() => verifyLeafUnder(chainDer[0]!, { ...anchorOf(strange.der), key: authority.keys.publicKey }, now)),
    ).to.equal('peer_untrusted');
  });
});

describe('verification of one’s own work', () => {
  for (const { name, code = 'accepted', make } of CHAIN_CASES) {
    const { chain, root } = make();
    // Only cases of one step are questions to verifyLeafUnder.
    if (chain.length !== 1 || code === 'peer_trust_domain_unknown') continue;
    it(`${code === 'accepted' ? 'accepts' : 'refuses'} ${name}`, () => {
      expect(decision(() => verifyLeafUnder(chain[0]!, anchorOf(root), systemClock.now()))).to.equal(code);
    });
  }
});
