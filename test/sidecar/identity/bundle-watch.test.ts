import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type Clock, systemClock, systemRandomness } from '../../../shared/clock/clock.ts';
import { BundleWatch } from '../../../sidecar/identity/bundle-watch.ts';
import { CitadelConnection } from '../../../sidecar/identity/citadel-connection.ts';
import { CitadelSource } from '../../../sidecar/identity/citadel-source.ts';
import { IdentityStore } from '../../../sidecar/identity/identity-store.ts';
import { TokenFile } from '../../../sidecar/identity/token-file.ts';
import { IdentityMetrics } from '../../../sidecar/telemetry/identity-metrics.ts';
import { FakeCitadel, tokenUntil, type WatchOfSidecar } from '../../support/fake-citadel.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { RecordedLog } from '../../support/recorded-log.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { until } from '../../support/until.ts';

const ROOT = createTestAuthority({ trustDomain: 'cluster.local' });
const OTHER = createTestAuthority({ trustDomain: 'cluster.local', subject: 'the next root' });

describe('watching bundles', () => {
  let folder: string;
  let citadel: FakeCitadel;
  let store: IdentityStore;
  let source: CitadelSource;
  let log: RecordedLog;
  let metrics: IdentityMetrics;
  let stop: AbortController;
  let running: Promise<void>;
  let connected: number;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sallyport-test-'));
    await writeFile(join(folder, 'token'), tokenUntil(systemClock.now() + 3_600_000));
    await writeFile(join(folder, 'ca.pem'), ROOT.rootPem);
    citadel = await FakeCitadel.start({ authority: ROOT });
    stop = new AbortController();
    connected = 0;
  });
  afterEach(async () => {
    stop.abort(new Error('the test is over'));
    await running;
    await source.close();
    await citadel[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  function start(clock: Clock = systemClock): void {
    log = new RecordedLog();
    metrics = new IdentityMetrics('test');
    store = new IdentityStore({ trustDomain: 'cluster.local', clock: systemClock, log });
    const connection = new CitadelConnection({ url: citadel.url, caFile: join(folder, 'ca.pem'), clock });
    const token = new TokenFile({ file: join(folder, 'token'), clock, metrics });
    source = new CitadelSource({ connection, token, clock, log, metrics });
    const backoff = { firstMs: 10, capMs: 30_000 };
    const watch = new BundleWatch({
      source,
      store,
      backoff,
      clock,
      randomness: systemRandomness,
      log,
      metrics,
      onConnected: () => connected++,
    });
    running = watch.run(stop.signal);
  }

  async function acknowledged(version: number): Promise<void> {
    await until(`version ${version} is acknowledged`, () => versions().includes(version) || undefined);
  }

  function versions(): number[] {
    const seen = citadel.requests.filter(({ path }) => path === '/v1/acknowledgements');
    return seen.map(({ body }) => (JSON.parse(body) as { version: number }).version);
  }

  async function heartbeat(stream: WatchOfSidecar, clock: FakeClock, ms: number): Promise<void> {
    stream.send('{"type":"heartbeat"}\n');
    await clock.advance(ms);
  }

  it('puts a bundle to use and acknowledges it only then', async () => {
    start();
    const stream = await citadel.watch();
    const inUse: boolean[] = [];
    store.onChange(() => inUse.push(versions().includes(7)));
    stream.sendBundle(ROOT.bundle(1), 7);
    await acknowledged(7);
    expect(inUse).to.deep.equal([false]);
    expect(store.trust).to.include({ sequence: 1 });
    expect(metrics.bundleVersion.get()).to.equal(7);
    expect(metrics.watchConnected.get()).to.equal(1);
    expect(connected).to.equal(1);
  });

  it('acknowledges again by itself, waiting longer each time, until it was heard: the stream may last for days', async () => {
    start();
    const overloaded = { status: 503, body: { code: 'overloaded' } };
    citadel.acknowledging.push(overloaded, overloaded, { status: 200 });
    const stream = await citadel.watch();
    stream.sendBundle(ROOT.bundle(1), 4);
    await until('it was heard', () => versions().length === 4 || undefined);
    stream.sendBundle(ROOT.bundle(2), 5);
    await acknowledged(5);
    expect(versions()).to.deep.equal([4, 4, 4, 4, 5]);
    expect(citadel.requests.filter(({ path }) => path === '/v1/watch')).to.have.length(1);
    expect(
      log.events('acknowledgement_failed').map(({ fields }) => [fields['code'], fields['failures']]),
    ).to.deep.equal([
      ['overloaded', 1],
      ['overloaded', 2],
      ['citadel_answer_invalid', 3],
    ]);
  });

  it('does not wait for an older acknowledgement to be heard when there is a newer bundle', async () => {
    start();
    citadel.acknowledging.push({ status: 503, body: { code: 'overloaded' } });
    const stream = await citadel.watch();
    stream.sendBundle(ROOT.bundle(1), 1);
    await acknowledged(1);
    stream.sendBundle(ROOT.bundle(2), 2);
    await acknowledged(2);
    expect(store.trust).to.include({ sequence: 2 });
  });

  it('does not repeat an acknowledgement that citadel cannot place', async () => {
    start();
    citadel.acknowledging.push({ status: 409, body: { code: 'acknowledgement_unknown' } });
    const stream = await citadel.watch();
    stream.sendBundle(ROOT.bundle(1), 1);
    await until('it is told', () => log.events('acknowledgement_failed')[0]);
    stream.sendBundle(ROOT.bundle(2), 2);
    await acknowledged(2);
    expect(versions()).to.deep.equal([1, 2]);
  });

  it('asks again after a refusal whose words never end', async () => {
    const clock = new FakeClock(systemClock.now());
    const refused = Promise.withResolvers<void>();
    citadel.watching.push((response) => {
      response.writeHead(503, { 'content-type': 'application/json' }).write('{"code":"over');
      refused.resolve();
    });
    start(clock);
    await refused.promise;
    await until('the beginning has arrived', async () => {
      await clock.advance(1_000);
      return log.events('watch_failed')[0];
    });
    expect(log.events('watch_failed')[0]!.fields).to.include({ code: 'citadel_unreachable' });
    await clock.advance(1_000);
    (await citadel.watch()).sendBundle(ROOT.bundle(1), 1);
    await acknowledged(1);
  });

  it('stops in the middle of a refusal whose words never end', async () => {
    const refused = Promise.withResolvers<void>();
    citadel.watching.push((response) => {
      response.writeHead(503, { 'content-type': 'application/json' }).write('{"code":"over');
      refused.resolve();
    });
    start();
    await refused.promise;
    stop.abort(new Error('the test is over'));
    await running;
    expect(log.events('watch_failed')).to.deep.equal([]);
  });

  it('follows one stream through several bundles, heartbeats and lines it does not know', async () => {
    start();
    const stream = await citadel.watch();
    stream.sendBundle(ROOT.bundle(1), 1);
    stream.send(
      `{"type":"heartbeat","serverTime":"${new Date(systemClock.now()).toISOString()}"}\n{"type":"weather"}\nnot JSON\n\n`,
    );
    const next = { ...ROOT.bundle(2), authorities: [ROOT.rootDer, OTHER.rootDer] };
    stream.sendBundle(next, 2);
    await acknowledged(2);
    expect(store.trust!.caPem).to.deep.equal([ROOT.rootPem, OTHER.rootPem]);
    expect(versions()).to.deep.equal([1, 2]);
  });

  it('reads a bundle that arrives in pieces', async () => {
    start();
    const stream = await citadel.watch();
    const { encodeBundle } = await import('../../../shared/spiffe/trust-bundle.ts');
    const line = JSON.stringify({
      type: 'bundle',
      version: 3,
      trustDomain: 'cluster.local',
      bundle: encodeBundle(ROOT.bundle(3)),
    });
    for (let from = 0; from < line.length; from += 100) stream.send(line.slice(from, from + 100));
    expect(store.trust).to.equal(undefined);
    stream.send('\n');
    await acknowledged(3);
  });

  for (const [what, send] of [
    ['an older one', (stream) => stream.sendBundle(OTHER.bundle(4), 9)],
    ['one of another trust domain', (stream) => stream.sendBundle({ ...ROOT.bundle(9), trustDomain: 'other.test' }, 9)],
    [
      'one that is no bundle',
      (stream) => stream.send('{"type":"bundle","version":9,"trustDomain":"cluster.local","bundle":{"keys":1}}\n'),
    ],
    [
      'one without an authority in it that may sign',
      (stream) => stream.sendBundle({ ...ROOT.bundle(9), authorities: [ROOT.svid().chainDer[0]!] }, 9),
    ],
  ] as readonly (readonly [string, (stream: Awaited<ReturnType<FakeCitadel['watch']>>) => void])[]) {
    it(`refuses ${what}: told, not acknowledged, and the stream goes on`, async () => {
      start();
      const stream = await citadel.watch();
      stream.sendBundle(ROOT.bundle(5), 5);
      await acknowledged(5);
      send(stream);
      stream.sendBundle(ROOT.bundle(6), 10);
      await acknowledged(10);
      expect(versions()).to.deep.equal([5, 10]);
      expect(log.events('bundle_refused')).to.have.length(1);
      expect(store.trust!.caPem).to.deep.equal([ROOT.rootPem]);
    });
  }

  it('comes back after the stream ended, and after it broke', async () => {
    start();
    (await citadel.watch()).end();
    (await citadel.watch()).destroy();
    (await citadel.watch()).sendBundle(ROOT.bundle(1), 1);
    await acknowledged(1);
  });

  it('asks ever less often while streams end as soon as they have begun, and is quick again after one that lasted', async () => {
    const clock = new FakeClock(systemClock.now());
    start(clock);
    const waits: number[] = [];
    for (let turn = 1; turn <= 6; turn++) {
      const stream = await citadel.watch();
      stream.sendBundle(ROOT.bundle(turn), turn);
      await acknowledged(turn);
      if (turn === 5) for (let beat = 0; beat < 4; beat++) await heartbeat(stream, clock, 10_000);
      stream.end();
      await until('its end is seen', () => metrics.watchConnected.get() === 0);
      waits.push(clock.nextIn!);
      await clock.advance(clock.nextIn!);
    }
    for (const [turn, most] of [10, 20, 40, 80, 10, 20].entries()) expect(waits[turn]).to.be.within(most / 2, most);
  });

  it('drops a stream with a line beyond all measure', async () => {
    start();
    const stream = await citadel.watch();
    for (let part = 0; part < 20; part++) stream.send('x'.repeat(65_536));
    (await citadel.watch()).sendBundle(ROOT.bundle(1), 1);
    await acknowledged(1);
    expect(log.events('watch_failed')[0]!.fields).to.include({ code: 'citadel_answer_invalid' });
  });

  it('drops a stream that is silent for 45 seconds, and opens another', async () => {
    const clock = new FakeClock(systemClock.now());
    start(clock);
    const stream = await citadel.watch();
    stream.sendBundle(ROOT.bundle(1), 1);
    await acknowledged(1);
    await clock.advance(44_999);
    expect(log.events('watch_failed')).to.have.length(0);
    await clock.advance(1);
    await until('the failure is told', () => log.events('watch_failed').length === 1 || undefined);
    expect(metrics.watchConnected.get()).to.equal(0);
    await clock.advance(10);
    await citadel.watch();
  });

  it('keeps a stream that speaks every half minute', async () => {
    const clock = new FakeClock(systemClock.now());
    start(clock);
    const stream = await citadel.watch();
    stream.sendBundle(ROOT.bundle(1), 1);
    await acknowledged(1);
    for (let beat = 2; beat < 6; beat++) {
      await clock.advance(30_000);
      stream.sendBundle(ROOT.bundle(beat), beat);
      await acknowledged(beat);
    }
    expect(log.events('watch_failed')).to.have.length(0);
  });

  it('ends the stream of a server whose authority was taken out of the file, as soon as anything is asked', async () => {
    start();
    const stream = await citadel.watch();
    stream.sendBundle(ROOT.bundle(1), 1);
    await acknowledged(1);
    await writeFile(join(folder, 'ca.pem'), OTHER.rootPem);
    stream.sendBundle(ROOT.bundle(2), 2);
    await until('the failure is told', () => log.events('watch_failed')[0]);
    await until('nothing is open', () => citadel.connections === 0 || undefined);
    expect(versions()).to.deep.equal([1]);
  });

  it('opens no stream with an expired token', async () => {
    await writeFile(join(folder, 'token'), tokenUntil(systemClock.now() - 1000));
    start();
    await until('the failure is told', () => log.events('watch_failed')[0]);
    expect(log.events('watch_failed')[0]!.fields).to.include({ code: 'local_token_expired' });
    expect(citadel.requests).to.deep.equal([]);
  });
});
