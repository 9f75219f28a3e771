/**
 * A sidecar with two workers, started whole in this process before a citadel that the test plays: what the main
 * thread knows of identity and trust holds for every connection, whichever thread has it.
 */
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { expect } from 'chai';
import { systemClock, systemRandomness } from '../../../shared/clock/clock.ts';
import { loadSettings } from '../../../shared/config/load-settings.ts';
import { type Sidecar, startSidecar } from '../../../sidecar/compose.ts';
import { SIDECAR_SETTINGS } from '../../../sidecar/config.ts';
import type { ListedConnection } from '../../../sidecar/listeners/registry-entry.ts';
import { type RawApp, rawApp } from '../../support/app-server.ts';
import { FakeCitadel, tokenUntil } from '../../support/fake-citadel.ts';
import { RecordedLog } from '../../support/recorded-log.ts';
import { refusalOf } from '../../support/refusals.ts';
import { seriesAt, sumOf } from '../../support/series.ts';
import { createTestAuthority, type TestAuthority } from '../../support/test-authority.ts';
import { connectAs } from '../../support/tls-peers.ts';
import { until } from '../../support/until.ts';

const ROOT = createTestAuthority({ trustDomain: 'cluster.local' });
const OTHER_ROOT = createTestAuthority({ trustDomain: 'cluster.local', subject: 'the other root' });
const WORKERS = 2;

describe('a sidecar with two workers', () => {
  let folder: string;
  let citadel: FakeCitadel;
  let log: RecordedLog;
  let app: RawApp;
  let sidecar: Sidecar | undefined;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sallyport-test-'));
    await writeFile(join(folder, 'ca.pem'), ROOT.rootPem);
    await writeFile(join(folder, 'token'), tokenUntil(systemClock.now() + 3_600_000));
    citadel = await FakeCitadel.start({ authority: ROOT });
    app = await rawApp((socket) => socket.write('hello'));
    log = new RecordedLog();
  });
  afterEach(async () => {
    await sidecar?.stop();
    sidecar = undefined;
    await app[Symbol.asyncDispose]();
    await citadel[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  async function start(listen = '127.0.0.1:0'): Promise<Sidecar> {
    const inbound = [{ name: 'app', listen, protocol: 'tcp', app: `127.0.0.1:${app.port}` }];
    const environment = {
      SIDECAR__WORKERS: String(WORKERS),
      SIDECAR__CITADEL__URL: citadel.url,
      SIDECAR__CITADEL__CA_FILE: join(folder, 'ca.pem'),
      SIDECAR__TOKEN_FILE: join(folder, 'token'),
      SIDECAR__INBOUND: JSON.stringify(inbound),
      ...Object.fromEntries(
        ['TUNNEL', 'ADMIN', 'METRICS', 'HEALTH'].map((name) => [`SIDECAR__${name}__LISTEN`, '127.0.0.1:0']),
      ),
      SIDECAR__LIMITS__DRAIN_SECONDS: '1',
      // Their lines go to the standard error of this process.
      SIDECAR__LOG__LEVEL: 'error',
    };
    const settings = loadSettings(SIDECAR_SETTINGS, { environment });
    sidecar = await startSidecar(settings, { clock: systemClock, randomness: systemRandomness, log });
    return sidecar;
  }

  async function ready(): Promise<Sidecar> {
    const started = await start();
    const url = `http://127.0.0.1:${started.ports.health.port}/readyz`;
    await until('ready', async () => (await fetch(url)).ok || undefined);
    return started;
  }

  const connections = async ({ ports }: Sidecar): Promise<readonly ListedConnection[]> => {
    const answer = await fetch(`http://127.0.0.1:${ports.admin.port}/connections`);
    return ((await answer.json()) as { connections: ListedConnection[] }).connections;
  };

  /** Peers of one authority, as many as it takes until each worker has some. */
  async function peersInBoth(running: Sidecar, authority: TestAuthority): Promise<TLSSocket[]> {
    const peers: TLSSocket[] = [];
    const before = (await connections(running)).length;
    await until('both workers have some', async () => {
      const peer = connectAs(running.ports.inbound['app']!.port, ROOT, authority.svid());
      peer.on('error', () => {});
      peers.push(peer);
      await once(peer, 'data');
      const fresh = (await connections(running)).slice(before);
      return new Set(fresh.map(({ worker }) => worker)).size === WORKERS;
    });
    return peers;
  }

  it('cuts what a new bundle does not trust in both, and nothing else', async () => {
    const running = await ready();
    const stream = await citadel.watch();
    stream.sendBundle({ ...ROOT.bundle(1), authorities: [ROOT.rootDer, OTHER_ROOT.rootDer] }, 1);
    await until('the bundle is in use', () => log.events('bundle_published')[0]);
    const kept = await peersInBoth(running, ROOT);
    const distrusted: TLSSocket[] = [];
    await until('both have distrusted ones', async () => {
      distrusted.push(...(await Promise.all([1, 2, 3, 4].map(() => greeted(running, OTHER_ROOT)))));
      const listed = await connections(running);
      return [1, 2].every((worker) => listed.filter((one) => one.worker === worker).length > kept.length);
    });
    const closed = Promise.all(distrusted.map((peer) => new Promise((resolve) => peer.on('close', resolve))));
    stream.sendBundle(ROOT.bundle(2), 2);
    await closed;
    await until('all are gone', async () => (await connections(running)).length === kept.length);
    const series = await seriesAt(running.ports.metrics.port);
    expect(sumOf(series, 'sidecar_connections_cut_total', { reason: 'distrust' })).to.equal(distrusted.length);
    expect(sumOf(series, 'sidecar_connections', { leg: 'mtls' })).to.equal(kept.length);
    for (const peer of kept) expect(peer.destroyed).to.equal(false);
    for (const peer of kept) peer.destroy();
  });

  async function greeted(running: Sidecar, authority: TestAuthority): Promise<TLSSocket> {
    const peer = connectAs(running.ports.inbound['app']!.port, ROOT, authority.svid());
    peer.on('error', () => {});
    await once(peer, 'data');
    return peer;
  }

  it('has one identity, and shows a new one to every new caller in both, at once', async () => {
    const running = await ready();
    const serials = async (): Promise<Set<string>> => {
      const peers = await Promise.all(Array.from({ length: 16 }, () => greeted(running, ROOT)));
      const seen = new Set(peers.map((peer) => peer.getPeerX509Certificate()!.serialNumber));
      for (const peer of peers) peer.destroy();
      return seen;
    };
    const before = await serials();
    running.reload();
    await until('the second generation', () => log.events('identity_published')[1]);
    // A message to a worker is on its way for a moment.
    const after = await until('the new one alone', async () => {
      const seen = await serials();
      return seen.size === 1 && !seen.has([...before][0]!) ? seen : undefined;
    });
    expect([before.size, after.size]).to.deep.equal([1, 1]);
  });

  it('lists connections with the worker that has them, and counts them once', async () => {
    const running = await ready();
    const peers = await peersInBoth(running, ROOT);
    const listed = await connections(running);
    expect(new Set(listed.map(({ worker, id }) => `${worker} ${id}`)).size).to.equal(listed.length);
    const series = await seriesAt(running.ports.metrics.port);
    expect([listed.length, sumOf(series, 'sidecar_connections', { listener: 'app' })]).to.deep.equal([
      peers.length,
      peers.length,
    ]);
    expect(sumOf(series, 'sidecar_handshakes_total', { direction: 'inbound', result: 'ok' })).to.equal(peers.length);
    for (const peer of peers) peer.destroy();
  });

  it('is not started when a port is taken by somebody who does not share it, and leaves nothing open', async () => {
    const rival = net.createServer();
    await once(rival.listen(0, '127.0.0.1'), 'listening');
    const taken = `127.0.0.1:${(rival.address() as AddressInfo).port}`;
    const refusal = await refusalOf(start(taken));
    rival.close();
    expect([refusal.code, refusal.detail.includes(taken)]).to.deep.equal(['address_in_use', true]);
    await until('no connection to citadel is left', () => citadel.connections === 0 || undefined);
  });

  it('stops in order, and closes the port of every worker', async () => {
    const running = await ready();
    const peers = await peersInBoth(running, ROOT);
    for (const at of peers.keys()) (await app.connection(at)).end();
    for (const peer of peers) peer.end();
    await until('all are over', async () => (await connections(running)).length === 0);
    sidecar = undefined;
    expect(await running.stop()).to.equal(true);
    const late = net.connect(running.ports.inbound['app']!.port, '127.0.0.1');
    const [error] = (await once(late, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).to.equal('ECONNREFUSED');
  });

  it('cuts in both what does not end in time, and says so', async () => {
    const running = await ready();
    const peers = await peersInBoth(running, ROOT);
    sidecar = undefined;
    const closed = Promise.all(peers.map((peer) => new Promise((resolve) => peer.on('close', resolve))));
    // Bytes without end: never a quiet moment in which a connection of bytes could be ended.
    const talking = setInterval(() => {
      for (const peer of peers) peer.write('more');
    }, 5);
    const clean = await running.stop();
    clearInterval(talking);
    await closed;
    expect(clean).to.equal(false);
  });
});
