/** A worker has exactly the identity and the trust of the main thread, after a copy across threads, and no other. */
import { expect } from 'chai';
import { systemClock } from '../../../shared/clock/clock.ts';
import { MirroredIdentity, packIdentity, packTrust } from '../../../sidecar/workers/mirrored-identity.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { WEB } from '../../support/gates.ts';
import { RecordedLog } from '../../support/recorded-log.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { publish, storeOf } from '../../support/tls-peers.ts';

const authority = createTestAuthority({ trustDomain: 'cluster.local' });
const other = createTestAuthority({ trustDomain: 'cluster.local', subject: 'another root' });

/** As it crosses threads. */
const sent = (store: ReturnType<typeof storeOf>) => {
  const { identity, trust } = structuredClone({
    identity: packIdentity(store.identity!),
    trust: packTrust(store.trust!),
  });
  return [identity, trust] as const;
};

function mirror(clock = systemClock as FakeClock | typeof systemClock) {
  const log = new RecordedLog();
  return { mirrored: new MirroredIdentity(clock, log), log };
}

describe('the identity of a worker', () => {
  it('is that of the main thread in everything that is used of it', () => {
    const store = storeOf(authority, { uri: WEB });
    const { mirrored, log } = mirror();
    mirrored.take(...sent(store));
    const { leaf, ...identity } = mirrored.identity!;
    const { leaf: original, ...published } = store.identity!;
    expect(identity).to.deep.equal(published);
    expect([leaf.der, leaf.fingerprint]).to.deep.equal([original.der, original.fingerprint]);
    const { anchors, ...trust } = mirrored.trust!;
    const { anchors: known, ...trusted } = store.trust!;
    expect(trust).to.deep.equal(trusted);
    const fingerprints = (of: typeof anchors) =>
      of.of('cluster.local')!.map(({ certificate }) => certificate.fingerprint);
    expect(fingerprints(anchors)).to.deep.equal(fingerprints(known));
    expect(log.lines).to.deep.equal([]);
  });

  it('follows a rotation and a new bundle, and tells both; the same again changes nothing that is held', () => {
    const store = storeOf(authority, { uri: WEB });
    const { mirrored } = mirror();
    const told: (number | undefined)[] = [];
    const stop = mirrored.onChange(() => void told.push(mirrored.identity?.generation));
    mirrored.take(...sent(store));
    const { identity: first, trust } = mirrored;
    mirrored.take(...sent(store));
    expect([mirrored.identity, mirrored.trust]).to.deep.equal([first, trust]);
    expect(mirrored.identity).to.equal(first);
    expect(mirrored.trust).to.equal(trust);
    publish(store, authority.svid({ uri: WEB }));
    store.publishTrust({ ...authority.bundle(2), authorities: [authority.rootDer, other.rootDer] });
    mirrored.take(...sent(store));
    expect([mirrored.identity!.generation, mirrored.trust!.caPem.length]).to.deep.equal([2, 2]);
    stop();
    mirrored.take(...sent(store));
    expect(told).to.deep.equal([1, 1, 2]);
  });

  it('is none before the main thread has one', () => {
    const { mirrored, log } = mirror();
    mirrored.take(undefined, undefined);
    expect([mirrored.identity, mirrored.trust, log.lines]).to.deep.equal([undefined, undefined, []]);
  });

  it('is not taken over when its own trust does not carry it, or when it is over: the old one stays, and it is logged', () => {
    const store = storeOf(authority, { uri: WEB });
    const strange = storeOf(other, { uri: WEB });
    publish(strange, other.svid({ uri: WEB }));
    const { mirrored, log } = mirror();
    mirrored.take(...sent(store));
    mirrored.take(packIdentity(strange.identity!), packTrust(store.trust!));
    expect(mirrored.identity!.generation).to.equal(1);
    expect(log.events('worker_identity_refused')[0]!.fields).to.include({ code: 'peer_untrusted' });
    expect(JSON.stringify(log.lines)).to.not.match(/PRIVATE|BEGIN/);

    const late = mirror(new FakeClock(store.identity!.notAfter + 1));
    late.mirrored.take(...sent(store));
    expect(late.mirrored.identity).to.equal(undefined);
    expect(late.log.events('worker_identity_refused')[0]!.fields).to.include({ code: 'peer_certificate_expired' });
  });
});
