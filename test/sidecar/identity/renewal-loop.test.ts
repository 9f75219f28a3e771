import { createPublicKey } from 'node:crypto';
import { expect } from 'chai';
import type { Randomness } from '../../../shared/clock/clock.ts';
import { Refusal, type RefusalCode } from '../../../shared/errors/refusal.ts';
import { parseCsr } from '../../../shared/x509/csr.ts';
import type { IdentitySource, IssuedMaterial } from '../../../sidecar/identity/identity-source.ts';
import { IdentityStore } from '../../../sidecar/identity/identity-store.ts';
import { RenewalLoop } from '../../../sidecar/identity/renewal-loop.ts';
import { IdentityMetrics } from '../../../sidecar/telemetry/identity-metrics.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { RecordedLog } from '../../support/recorded-log.ts';
import { createTestAuthority, type TestSvid } from '../../support/test-authority.ts';
import { spkiOf } from '../../support/test-certificate.ts';

const HOUR = 3_600_000;
const START = Date.UTC(2026, 0, 1);
const ROOT = createTestAuthority({
  trustDomain: 'cluster.local',
  notBefore: START - HOUR,
  notAfter: START + 1000 * HOUR,
});
const WEB = 'spiffe://cluster.local/ns/shop/sa/web';

/** Issues for the key of each CSR, or refuses with the codes that are put in. */
class FakeSource implements IdentitySource {
  readonly spkis: string[] = [];
  /** For the next tries: a code to refuse with, or how to spoil the answer. */
  readonly script: (RefusalCode | Refusal | ((material: IssuedMaterial) => IssuedMaterial))[] = [];
  /** While set, every try is refused with it. */
  outage: RefusalCode | undefined;
  readonly #clock: FakeClock;
  lifeMs = HOUR;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  get tries(): number {
    return this.spkis.length;
  }

  async obtain(csr: Buffer): Promise<IssuedMaterial> {
    const { spki } = parseCsr(csr);
    this.spkis.push(spki.toString('hex'));
    const step = this.script.shift() ?? this.outage;
    if (step instanceof Refusal) throw step;
    if (typeof step === 'string') throw new Refusal(step);
    const material = {
      chain: this.#svidFor(spki).chainDer,
      authorities: [ROOT.rootDer],
      spiffeId: WEB,
      entry: this.tries,
    };
    return step ? step(material) : material;
  }

  async watchBundles(): Promise<void> {}
  async acknowledge(): Promise<void> {}
  async close(): Promise<void> {}

  #svidFor(spki: Buffer): TestSvid {
    const now = this.#clock.now();
    const publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' });
    // Only the certificate is used: the private key stays with whoever made the CSR.
    return ROOT.svid({
      uri: WEB,
      keys: { publicKey, privateKey: ROOT.keys.privateKey },
      notBefore: now - 60_000,
      notAfter: now + this.lifeMs,
    });
  }
}

describe('the renewal loop', () => {
  let clock: FakeClock;
  let source: FakeSource;
  let store: IdentityStore;
  let log: RecordedLog;
  let metrics: IdentityMetrics;
  let loop: RenewalLoop;
  let stop: AbortController;
  let running: Promise<void>;
  let draw: number;

  beforeEach(() => {
    clock = new FakeClock(START);
    source = new FakeSource(clock);
    log = new RecordedLog();
    store = new IdentityStore({ trustDomain: 'cluster.local', clock, log });
    metrics = new IdentityMetrics('test');
    draw = 0.5;
    const randomness: Randomness = { draw: () => draw, bytes: (count) => Buffer.alloc(count) };
    loop = new RenewalLoop({
      source,
      store,
      backoff: { firstMs: 500, capMs: 30_000 },
      clock,
      randomness,
      log,
      metrics,
    });
    stop = new AbortController();
  });
  afterEach(async () => {
    stop.abort();
    await running;
    expect(clock.pending, 'timers left behind').to.equal(0);
  });

  async function start(): Promise<void> {
    running = loop.run(stop.signal);
    await clock.advance(0);
  }

  it('gets the first certificate at once and the next at half of its life', async () => {
    await start();
    expect(store.identity).to.include({ generation: 1 });
    expect(loop.state.nextTryAt).to.equal(START + HOUR / 2);
    await clock.advance(HOUR / 2 - 1);
    expect(store.identity).to.include({ generation: 1 });
    await clock.advance(1);
    expect(store.identity).to.include({ generation: 2 });
    expect(metrics.renewals.get(['ok'])).to.equal(2);
    expect(metrics.certificateExpiry.get()).to.equal(store.identity!.notAfter / 1000);
  });

  it('makes a fresh key for every try, also for those that fail', async () => {
    source.script.push('citadel_unreachable', 'citadel_unreachable');
    await start();
    await clock.advance(60_000);
    loop.renewNow();
    await clock.advance(0);
    expect(source.tries).to.equal(4);
    expect(new Set(source.spkis).size).to.equal(4);
    expect(spkiOf(createPublicKey(store.identity!.keyPem)).toString('hex')).to.equal(source.spkis.at(-1));
  });

  it('draws the moment once per certificate, not again at every look', async () => {
    draw = 0;
    await start();
    draw = 0.999;
    await clock.advance(0.4 * HOUR);
    expect(store.identity).to.include({ generation: 2 });
  });

  it('does not renew a backdated certificate at once, however short it is', async () => {
    source.lifeMs = 10_000;
    await start();
    await clock.advance(4_900);
    expect(source.tries).to.equal(1);
    await clock.advance(100);
    expect(source.tries).to.equal(2);
  });

  it('keeps the certificate through an outage until it expires, trying all the time, and recovers by itself', async () => {
    await start();
    const good = store.identity;
    source.outage = 'citadel_unreachable';
    await clock.advance(HOUR - 1);
    expect(store.identity).to.equal(good);
    expect(source.tries).to.be.greaterThan(60);
    expect(log.events('identity_expired')).to.have.length(0);
    await clock.advance(HOUR);
    expect(store.identity).to.equal(good);
    expect(log.events('identity_expired')).to.have.length(1);
    source.outage = undefined;
    await clock.advance(5_000);
    expect(store.identity).to.include({ generation: 2 });
    expect(loop.state).to.include({ failures: 0, lastFailure: undefined });
  });

  it('waits twice as long after each failure, jittered, up to the cap', async () => {
    source.outage = 'citadel_unreachable';
    draw = 0.999999;
    await start();
    const waits: number[] = [];
    for (let turn = 0; turn < 6; turn++) {
      waits.push(Math.round(loop.state.nextTryAt! - clock.now()));
      await clock.advance(loop.state.nextTryAt! - clock.now());
    }
    expect(waits).to.deep.equal([500, 1000, 2000, 4000, 4000, 4000]);
    draw = 0;
    await clock.advance(4000);
    expect(loop.state.nextTryAt! - clock.now()).to.be.closeTo(2000, 1);
  });

  it('is in no hurry while a certificate lasts long', async () => {
    source.lifeMs = 24 * HOUR;
    await start();
    source.outage = 'citadel_unreachable';
    draw = 0.999999;
    await clock.advance(13 * HOUR);
    expect(loop.state.nextTryAt! - clock.now()).to.be.within(0, 30_000);
    const before = source.tries;
    await clock.advance(600_000);
    expect(source.tries - before).to.be.within(19, 21);
  });

  it('comes back no earlier than it was told, and not exactly then', async () => {
    source.script.push(new Refusal('overloaded', { retryAfterSeconds: 20 }));
    await start();
    expect(loop.state.nextTryAt! - clock.now()).to.equal(22_000);
    await clock.advance(21_999);
    expect(source.tries).to.equal(1);
    await clock.advance(1);
    expect(store.identity).to.include({ generation: 1 });
  });

  it('is not hurried before the time that it was told, except on demand', async () => {
    source.script.push(new Refusal('overloaded', { retryAfterSeconds: 20 }), new Refusal('overloaded'));
    await start();
    loop.retryNow();
    await clock.advance(19_000);
    expect(source.tries).to.equal(1);
    await clock.advance(1_000);
    loop.retryNow();
    await clock.advance(0);
    expect(source.tries).to.equal(2);
    loop.retryNow();
    await clock.advance(0);
    expect(source.tries).to.equal(3);
  });

  it('tells every failure with code, count and next try', async () => {
    source.script.push('token_expired', 'citadel_unreachable');
    await start();
    await clock.advance(600);
    expect(log.events('renewal_failed').map(({ fields }) => [fields['code'], fields['failures']])).to.deep.equal([
      ['token_expired', 1],
      ['citadel_unreachable', 2],
    ]);
    expect(metrics.renewals.get(['token_expired'])).to.equal(1);
    expect(loop.state.lastFailure).to.deep.include({ code: 'citadel_unreachable' });
  });

  it('never puts a bad answer in the place of a good certificate', async () => {
    await start();
    const good = store.identity;
    const stranger = createTestAuthority({
      trustDomain: 'cluster.local',
      notBefore: START - HOUR,
      notAfter: START + 1000 * HOUR,
    });
    const chain = stranger.svid({ uri: WEB, notBefore: START, notAfter: START + HOUR }).chainDer;
    source.script.push((material) => ({ ...material, chain, authorities: [stranger.rootDer] }));
    source.script.push((material) => ({ ...material, chain: [] }));
    loop.renewNow();
    await clock.advance(0);
    expect(store.identity).to.equal(good);
    expect(store.trust!.caPem).to.deep.equal([ROOT.rootPem]);
    expect(loop.state.lastFailure).to.include({ code: 'citadel_answer_invalid' });
    await clock.advance(500);
    expect(store.identity).to.equal(good);
    await clock.advance(1000);
    expect(store.identity).to.include({ generation: 2 });
  });

  it('tries again at once when something changed while it waits after a failure', async () => {
    source.script.push('local_token_expired');
    await start();
    loop.retryNow();
    await clock.advance(0);
    expect(store.identity).to.include({ generation: 1 });
  });

  it('tries again at once when something changed during the try that failed', async () => {
    source.script.push('local_token_expired');
    running = loop.run(stop.signal);
    loop.retryNow();
    await clock.advance(0);
    expect(store.identity).to.include({ generation: 1 });
  });

  it('is not hurried while a good certificate is in use, except on demand', async () => {
    await start();
    loop.retryNow();
    await clock.advance(1000);
    expect(source.tries).to.equal(1);
    loop.renewNow();
    await clock.advance(0);
    expect(source.tries).to.equal(2);
  });

  it('renews in time after the machine slept, although its timers did not run', async () => {
    await start();
    clock.jump(2 * HOUR);
    await clock.advance(5_000);
    expect(store.identity).to.include({ generation: 2 });
  });

  it('retries in time after the clock was set back', async () => {
    source.script.push('citadel_unreachable');
    await start();
    clock.jump(-10 * HOUR);
    source.lifeMs = 20 * HOUR;
    await clock.advance(1000);
    expect(source.tries).to.equal(2);
  });
});
