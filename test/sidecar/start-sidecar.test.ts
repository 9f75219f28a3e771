import { once } from 'node:events';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { systemClock, systemRandomness } from '../../shared/clock/clock.ts';
import { loadSettings } from '../../shared/config/load-settings.ts';
import { Refusal } from '../../shared/errors/refusal.ts';
import { type Sidecar, startSidecar } from '../../sidecar/compose.ts';
import { SIDECAR_SETTINGS } from '../../sidecar/config.ts';
import { rawApp } from '../support/app-server.ts';
import { FakeCitadel, tokenUntil } from '../support/fake-citadel.ts';
import { RecordedLog } from '../support/recorded-log.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { connectAs } from '../support/tls-peers.ts';
import { until } from '../support/until.ts';

const ROOT = createTestAuthority({ trustDomain: 'cluster.local' });
const NEXT_ROOT = createTestAuthority({ trustDomain: 'cluster.local', subject: 'the next root' });
const HOUR = 3_600_000;

describe('a sidecar, started whole', () => {
  let folder: string;
  let citadel: FakeCitadel;
  let log: RecordedLog;
  const running: Sidecar[] = [];
  let versions: number;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sallyport-test-'));
    await writeFile(join(folder, 'ca.pem'), ROOT.rootPem);
    citadel = await FakeCitadel.start({ authority: ROOT });
    log = new RecordedLog();
    versions = 0;
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((sidecar) => sidecar.stop()));
    await citadel[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  /** As kubelet does it. */
  async function projectToken(expiresAt: number): Promise<void> {
    versions++;
    await mkdir(join(folder, `..${versions}`));
    await writeFile(join(folder, `..${versions}`, 'token'), tokenUntil(expiresAt));
    await symlink(`..${versions}`, join(folder, '..data_tmp'));
    await rename(join(folder, '..data_tmp'), join(folder, '..data'));
    if (versions === 1) await symlink('..data/token', join(folder, 'token'));
  }

  async function start(change: Record<string, string> = {}): Promise<Sidecar> {
    const settings = loadSettings(SIDECAR_SETTINGS, {
      environment: {
        SIDECAR__CITADEL__URL: citadel.url,
        SIDECAR__CITADEL__CA_FILE: join(folder, 'ca.pem'),
        SIDECAR__TOKEN_FILE: join(folder, 'token'),
        SIDECAR__INBOUND: JSON.stringify([{ name: 'app', listen: '127.0.0.1:0', protocol: 'tcp', app: '127.0.0.1:9' }]),
        SIDECAR__TUNNEL__LISTEN: '127.0.0.1:0',
        SIDECAR__ADMIN__LISTEN: '127.0.0.1:0',
        SIDECAR__METRICS__LISTEN: '127.0.0.1:0',
        SIDECAR__HEALTH__LISTEN: '127.0.0.1:0',
        SIDECAR__LIMITS__DRAIN_SECONDS: '1',
        ...change,
      },
    });
    const sidecar = await startSidecar(settings, { clock: systemClock, randomness: systemRandomness, log });
    running.push(sidecar);
    return sidecar;
  }

  const ready = (sidecar: Sidecar) =>
    until('ready', async () => ((await page(sidecar.ports.health.port, '/readyz')).status === 200 ? true : undefined));

  it('opens its ports at once and is ready with the first certificate', async () => {
    await projectToken(systemClock.now() + HOUR);
    let letGo = (): void => {};
    const held = new Promise<void>((resolve) => (letGo = resolve));
    citadel.answers.push(async (csr) => {
      await held;
      return citadel.issue(csr);
    });
    const sidecar = await start();
    const notReady = await page(sidecar.ports.health.port, '/readyz');
    expect(notReady.status).to.equal(503);
    expect(notReady.text).to.include('no certificate yet');
    letGo();
    await ready(sidecar);
    expect(log.events('ready')).to.have.length(1);
    const { identity } = JSON.parse((await page(sidecar.ports.admin.port, '/identity')).text) as {
      identity: { spiffeId: string };
    };
    expect(identity.spiffeId).to.equal(citadel.spiffeId);
  });

  it('does not send an expired token, and asks within a moment once kubelet has swapped it', async () => {
    await projectToken(systemClock.now() - 1000);
    // With this patience the next try by itself would come too late for this test.
    const sidecar = await start({ SIDECAR__RENEWAL__FIRST_RETRY_MS: '60000', SIDECAR__RENEWAL__CAP_SECONDS: '3600' });
    await until('the failure is told', () => log.events('renewal_failed')[0]);
    expect(log.events('renewal_failed')[0]!.fields).to.include({ code: 'local_token_expired' });
    expect((await page(sidecar.ports.health.port, '/readyz')).text).to.include('local_token_expired');
    expect(citadel.requests).to.deep.equal([]);
    const swapped = performance.now();
    await projectToken(systemClock.now() + HOUR);
    await ready(sidecar);
    expect(performance.now() - swapped).to.be.below(1500);
  });

  it('asks within a moment when citadel’s roots are put in place', async () => {
    await projectToken(systemClock.now() + HOUR);
    await writeFile(join(folder, 'ca.pem'), NEXT_ROOT.rootPem);
    const sidecar = await start({ SIDECAR__RENEWAL__FIRST_RETRY_MS: '60000' });
    await until('the failure is told', () => log.events('renewal_failed')[0]);
    expect(log.events('renewal_failed')[0]!.fields).to.include({ code: 'citadel_untrusted' });
    await writeFile(join(folder, 'ca.pem'), ROOT.rootPem);
    await ready(sidecar);
  });

  it('fetches a new certificate when it is told to', async () => {
    await projectToken(systemClock.now() + HOUR);
    const sidecar = await start();
    await ready(sidecar);
    sidecar.reload();
    await until('the second generation', () => log.events('identity_published')[1]);
    expect(log.events('identity_published')[1]!.fields).to.include({ generation: 2 });
  });

  it('fetches a new certificate when a new bundle no longer holds the authority behind the old one', async () => {
    await projectToken(systemClock.now() + HOUR);
    const sidecar = await start();
    await ready(sidecar);
    const stream = await citadel.watch();
    stream.sendBundle(ROOT.bundle(1), 1);
    await until('the bundle is in use', () => log.events('bundle_published')[0]);
    expect(log.events('identity_published')).to.have.length(1);
    stream.sendBundle(NEXT_ROOT.bundle(2), 2);
    await until('it asks', () => log.events('renewal_failed')[0]);
    expect(log.events('renewal_failed')[0]!.fields).to.include({ code: 'citadel_answer_invalid' });
  });

  it('cuts a live connection whose authority a new bundle no longer holds, and counts it', async () => {
    await projectToken(systemClock.now() + HOUR);
    await using app = await rawApp((socket) => socket.write('hello'));
    const inbound = [{ name: 'app', listen: '127.0.0.1:0', protocol: 'tcp', app: `127.0.0.1:${app.port}` }];
    const sidecar = await start({ SIDECAR__INBOUND: JSON.stringify(inbound) });
    await ready(sidecar);
    const stream = await citadel.watch();
    stream.sendBundle({ ...ROOT.bundle(1), authorities: [ROOT.rootDer, NEXT_ROOT.rootDer] }, 1);
    await until('the bundle is in use', () => log.events('bundle_published')[0]);
    const peers = [NEXT_ROOT, ROOT].map((authority) =>
      connectAs(sidecar.ports.inbound['app']!.port, ROOT, authority.svid()),
    );
    await Promise.all(peers.map((peer) => once(peer, 'data')));
    const reset = once(peers[0]!, 'close').catch((error: NodeJS.ErrnoException) => error.code);
    stream.sendBundle(ROOT.bundle(2), 2);
    expect(await reset).to.equal('ECONNRESET');
    const text = await until('it is gone', async () => {
      const metrics = await page(sidecar.ports.metrics.port, '/metrics');
      return metrics.text.includes('sidecar_connections{direction="inbound",listener="app",leg="mtls"} 1')
        ? metrics.text
        : undefined;
    });
    expect(text).to.include('sidecar_connections_cut_total{reason="distrust"} 1');
    expect(log.events('connection_cut')[0]!.fields).to.include({ code: 'connection_distrusted', reason: 'distrust' });
    peers[1]!.destroy();
  });

  it('counts handshakes and refusals by code', async () => {
    await projectToken(systemClock.now() + HOUR);
    const sidecar = await start();
    await ready(sidecar);
    const client = connectAs(sidecar.ports.inbound['app']!.port, ROOT);
    await once(client, 'close');
    const counted = await until('the refusal is counted', async () => {
      const { text } = await page(sidecar.ports.metrics.port, '/metrics');
      return text.includes('sidecar_refusals_total{code="peer_certificate_missing"} 1') ? text : undefined;
    });
    expect(counted).to.include('sidecar_handshakes_total{direction="inbound",result="peer_certificate_missing"} 1');
    expect(counted).to.include('sidecar_ready 1');
  });

  it('leaves nothing open when one of its ports is taken, and says which', async () => {
    await projectToken(systemClock.now() + HOUR);
    const rival = net.createServer();
    await once(rival.listen(0, '127.0.0.1'), 'listening');
    const taken = `127.0.0.1:${(rival.address() as AddressInfo).port}`;
    const outcome: unknown = await start({ SIDECAR__METRICS__LISTEN: taken }).catch((error: unknown) => error);
    rival.close();
    expect(outcome).to.be.instanceOf(Refusal).with.property('code', 'address_in_use');
    expect((outcome as Refusal).detail).to.include(taken);
    await until('no connection to citadel is left', () => citadel.connections === 0 || undefined);
  });

  it('stops in order, and leaves nothing open', async () => {
    await projectToken(systemClock.now() + HOUR);
    const sidecar = await start();
    await ready(sidecar);
    expect(await running.pop()!.stop()).to.equal(true);
    const { admin, health, metrics, inbound } = sidecar.ports;
    for (const { port } of [admin, health, metrics, inbound['app']!]) expect(await isOpen(port)).to.equal(false);
    await until('no connection to citadel is left', () => citadel.connections === 0 || undefined);
    expect(log.events('watch_failed'), 'the watch was stopped before its connection was').to.deep.equal([]);
  });

  it('never writes a key or a token to its log', async () => {
    await projectToken(systemClock.now() + HOUR);
    const sidecar = await start();
    await ready(sidecar);
    citadel.answers.push(() => ({ status: 500, body: 'no' }));
    sidecar.reload();
    await until('the failure is told', () => log.events('renewal_failed')[0]);
    expect(JSON.stringify(log.lines)).not.to.match(/PRIVATE KEY|BEGIN|eyJ|Bearer/);
  });
});

async function page(port: number, path: string): Promise<{ status: number; text: string }> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' } });
  return { status: answer.status, text: await answer.text() };
}

function isOpen(port: number): Promise<boolean> {
  const socket = net.connect(port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  }).then((open) => {
    socket.destroy();
    return open as boolean;
  });
}
