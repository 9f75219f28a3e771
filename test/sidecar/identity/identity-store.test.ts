import { expect } from 'chai';
import { systemClock } from '../../../shared/clock/clock.ts';
import { Refusal } from '../../../shared/errors/refusal.ts';
import type { Log } from '../../../shared/log/log.ts';
import { IdentityStore } from '../../../sidecar/identity/identity-store.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { RecordedLog } from '../../support/recorded-log.ts';
import { createTestAuthority, type TestSvid } from '../../support/test-authority.ts';
import { makeKeys, USAGE } from '../../support/test-certificate.ts';
import { publish, storeOf } from '../../support/tls-peers.ts';

const ROOT = createTestAuthority({ trustDomain: 'cluster.local' });
const AUTHORITY = ROOT.intermediate();
const OTHER = createTestAuthority({ trustDomain: 'cluster.local', subject: 'somebody else' });
const WEB = 'spiffe://cluster.local/ns/shop/sa/web';
const MINUTE = 60_000;
const now = systemClock.now();

describe('the identity store', () => {
  it('puts a verified certificate to use as a whole, and counts generations', () => {
    const store = storeOf(AUTHORITY, { uri: WEB });
    const first = store.identity!;
    expect(first).to.include({ generation: 1 });
    expect(first.spiffeId.uri).to.equal(WEB);
    expect(first.chainPem.match(/BEGIN CERTIFICATE/g)).to.have.length(2);
    expect(first.chainFingerprints).to.have.length(2).and.include(first.leaf.fingerprint);
    publish(store, AUTHORITY.svid({ uri: WEB }));
    expect(store.identity).to.include({ generation: 2 });
    expect(first.generation).to.equal(1);
  });

  it('takes the earliest end of the whole chain as its own', () => {
    const short = ROOT.intermediate({ notAfter: now + 20 * MINUTE });
    const store = storeOf(ROOT);
    publish(store, short.svid({ notAfter: now + 60 * MINUTE }));
    expect(store.identity!.notAfter).to.be.closeTo(now + 20 * MINUTE, 1000);
  });

  const bad: readonly (readonly [string, () => TestSvid])[] = [
    ['has expired', () => AUTHORITY.svid({ notAfter: now - 1000 })],
    ['is not valid yet', () => AUTHORITY.svid({ notBefore: now + 10 * MINUTE })],
    ['comes from another authority', () => OTHER.svid()],
    ['is of another trust domain', () => AUTHORITY.svid({ uri: 'spiffe://other.test/ns/a/sa/b' })],
    ['has no SPIFFE ID', () => AUTHORITY.svid({ uris: [] })],
    ['has two of them', () => AUTHORITY.svid({ uris: [WEB, `${WEB}2`] })],
    ['names the trust domain only', () => AUTHORITY.svid({ uri: 'spiffe://cluster.local' })],
    ['may sign others', () => AUTHORITY.svid({ ca: true, keyUsage: [USAGE.digitalSignature, USAGE.keyCertSign] })],
    ['lacks its intermediate', () => ({ ...AUTHORITY.svid(), chainDer: [AUTHORITY.svid().chainDer[0]!] })],
    ['is empty', () => ({ ...AUTHORITY.svid(), chainDer: [] })],
    ['is no certificate', () => ({ ...AUTHORITY.svid(), chainDer: [Buffer.from('no DER')] })],
    ['belongs to another key', () => ({ ...AUTHORITY.svid(), keys: makeKeys() })],
  ];
  for (const [what, make] of bad) {
    it(`keeps the good certificate when an answer ${what}`, () => {
      const store = storeOf(AUTHORITY, { uri: WEB });
      const good = store.identity;
      let changes = 0;
      store.onChange(() => changes++);
      expect(() => publish(store, make()))
        .to.throw(Refusal)
        .with.property('code', 'citadel_answer_invalid');
      expect(store.identity).to.equal(good);
      expect(changes).to.equal(0);
    });
  }

  it('verifies nothing before it knows whom to believe', () => {
    const store = new IdentityStore({ trustDomain: 'cluster.local', clock: systemClock, log: new RecordedLog() });
    expect(() => publish(store, AUTHORITY.svid()))
      .to.throw(Refusal)
      .with.property('code', 'citadel_answer_invalid');
    store.bootstrapTrust([ROOT.rootDer]);
    expect(publish(store, AUTHORITY.svid()).generation).to.equal(1);
  });

  it('tells every listener, also when one of them throws', () => {
    const log = new RecordedLog();
    const store = quietStore(log);
    store.publishTrust(ROOT.bundle());
    const told: string[] = [];
    store.onChange(() => told.push('first'));
    store.onChange(() => {
      throw new Error('broken listener');
    });
    const forget = store.onChange(() => told.push('last'));
    publish(store, ROOT.svid());
    expect(told).to.deep.equal(['first', 'last']);
    expect(log.events('identity_listener_failed')).to.have.length(1);
    forget();
    publish(store, ROOT.svid());
    expect(told).to.deep.equal(['first', 'last', 'first']);
  });
});

describe('the trust in the store', () => {
  it('goes forward with the sequence and never back', () => {
    const store = quietStore();
    store.publishTrust(ROOT.bundle(5));
    store.publishTrust({ ...ROOT.bundle(6), authorities: [ROOT.rootDer, OTHER.rootDer] });
    expect(store.trust).to.deep.include({ sequence: 6, version: 2 });
    const before = store.trust;
    expect(() => store.publishTrust(ROOT.bundle(5)))
      .to.throw(Refusal)
      .with.property('code', 'citadel_answer_invalid');
    expect(store.trust).to.equal(before);
  });

  it('takes the same bundle again without a change, and nothing else under its sequence', () => {
    const store = quietStore();
    store.publishTrust(ROOT.bundle(5));
    let changes = 0;
    store.onChange(() => changes++);
    store.publishTrust(ROOT.bundle(5));
    expect(changes).to.equal(0);
    expect(() => store.publishTrust(OTHER.bundle(5))).to.throw(Refusal);
    expect(changes).to.equal(0);
  });

  it('prefers any bundle with a sequence to the roots that came with a certificate, and never the other way round', () => {
    const store = quietStore();
    store.bootstrapTrust([OTHER.rootDer]);
    expect(store.trust!.sequence).to.equal(undefined);
    store.publishTrust(ROOT.bundle(0));
    expect(store.trust!.sequence).to.equal(0);
    store.bootstrapTrust([OTHER.rootDer]);
    expect(store.trust!.caPem).to.deep.equal([ROOT.rootPem]);
  });

  it('refuses a bundle of another trust domain', () => {
    const store = quietStore();
    expect(() => store.publishTrust({ ...ROOT.bundle(), trustDomain: 'other.test' })).to.throw(Refusal);
    expect(store.trust).to.equal(undefined);
  });

  it('refuses a bundle with something in it that is no authority, and keeps the old one', () => {
    const store = storeOf(ROOT);
    const before = store.trust;
    const authorities = [ROOT.svid().chainDer[0]!];
    expect(() => store.publishTrust({ ...ROOT.bundle(2), authorities }))
      .to.throw(Refusal)
      .with.property('code', 'citadel_answer_invalid');
    expect(store.trust).to.equal(before);
  });

  it('distrusts everybody under an empty bundle, and says so loudly', () => {
    const log = new RecordedLog();
    const store = quietStore(log);
    store.publishTrust(ROOT.bundle(1));
    publish(store, ROOT.svid());
    store.publishTrust({ ...ROOT.bundle(2), authorities: [] });
    expect(store.trust!.caPem).to.deep.equal([]);
    expect(log.events('bundle_empty')).to.have.length(1);
    expect(() => publish(store, ROOT.svid())).to.throw(Refusal);
    expect(store.ownIdentityHolds()).to.equal(false);
  });

  it('knows whether its own identity would still convince a peer', () => {
    const clock = new FakeClock(now);
    const store = storeOf(ROOT, { notAfter: now + 10 * MINUTE }, clock);
    expect(store.ownIdentityHolds()).to.equal(true);
    clock.jump(11 * MINUTE);
    expect(store.ownIdentityHolds()).to.equal(false);
    clock.jump(-11 * MINUTE);
    store.publishTrust(OTHER.bundle(2));
    expect(store.ownIdentityHolds()).to.equal(false);
  });
});

function quietStore(log: Log = new RecordedLog()): IdentityStore {
  return new IdentityStore({ trustDomain: 'cluster.local', clock: systemClock, log });
}
