import { expect } from 'chai';
import { IdentityStore } from '../../../sidecar/identity/identity-store.ts';
import {
  identityCondition,
  listenersCondition,
  Readiness,
  trustCondition,
} from '../../../sidecar/lifecycle/readiness.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { RecordedLog } from '../../support/recorded-log.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { publish } from '../../support/tls-peers.ts';

const START = Date.UTC(2026, 5, 1);
const MINUTE = 60_000;
const ROOT = createTestAuthority({
  trustDomain: 'cluster.local',
  notBefore: START - MINUTE,
  notAfter: START + 1000 * MINUTE,
});

describe('readiness of the sidecar', () => {
  function parts() {
    const clock = new FakeClock(START);
    const store = new IdentityStore({ trustDomain: 'cluster.local', clock, log: new RecordedLog() });
    const listener: { bound: object | undefined } = { bound: undefined };
    const plane = { closedPorts: () => (listener.bound ? [] : ['inbound app']) };
    let lastCode: string | undefined;
    const readiness = new Readiness({
      identity: identityCondition(store, clock, () => lastCode),
      trust: trustCondition(store),
      listeners: listenersCondition(plane),
    });
    const whats = (): string[] => readiness.missing().map(({ what }) => what);
    return { clock, store, listener, readiness, whats, fail: (code: string | undefined) => (lastCode = code) };
  }

  it('names everything that is missing, and nothing that is there', () => {
    const { store, listener, whats } = parts();
    expect(whats()).to.deep.equal(['identity', 'listeners']);
    listener.bound = {};
    expect(whats()).to.deep.equal(['identity']);
    store.publishTrust(ROOT.bundle());
    publish(store, ROOT.svid({ notBefore: START, notAfter: START + 10 * MINUTE }));
    expect(whats()).to.deep.equal([]);
  });

  it('says why there is no certificate, and which listener is closed', () => {
    const { readiness, fail } = parts();
    fail('citadel_unreachable');
    const [identity, listeners] = readiness.missing();
    expect(identity!.why).to.include('citadel_unreachable');
    expect(listeners!.why).to.include('inbound app');
  });

  it('is lost at the very moment the certificate expires, and comes back with the next', () => {
    const { clock, store, listener, whats, readiness } = parts();
    listener.bound = {};
    store.publishTrust(ROOT.bundle());
    publish(store, ROOT.svid({ notBefore: START, notAfter: START + 10 * MINUTE }));
    clock.jump(10 * MINUTE - 1);
    expect(whats()).to.deep.equal([]);
    clock.jump(1);
    expect(whats()).to.deep.equal(['identity']);
    expect(readiness.missing()[0]!.why).to.include('expired at 2026-06-01T00:10:00');
    publish(store, ROOT.svid({ notBefore: START, notAfter: START + 60 * MINUTE }));
    expect(whats()).to.deep.equal([]);
  });

  it('is lost while nobody is trusted', () => {
    const { store, listener, whats } = parts();
    listener.bound = {};
    store.publishTrust(ROOT.bundle(1));
    publish(store, ROOT.svid({ notBefore: START, notAfter: START + 10 * MINUTE }));
    store.publishTrust({ ...ROOT.bundle(2), authorities: [] });
    expect(whats()).to.deep.equal(['trust']);
  });

  it('never comes back once it drains', () => {
    const { store, listener, readiness, whats } = parts();
    readiness.drain();
    listener.bound = {};
    store.publishTrust(ROOT.bundle());
    publish(store, ROOT.svid({ notBefore: START, notAfter: START + 10 * MINUTE }));
    expect(whats()).to.deep.equal(['draining']);
  });
});
