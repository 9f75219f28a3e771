/**
 * Promise: a sidecar with several workers is one sidecar. All of them serve, under one identity; there is one page of
 * metrics, with right and rising sums, one list of connections, one log level and one drain; and when a worker breaks
 * the process ends with a word, so that it is started anew, instead of serving with half of itself.
 * Real parts: dev issuer, citadel and two sidecars with two workers each, as processes.
 */
import { readFile, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { expect } from 'chai';
import { asYaml, type ServicePlan } from '../../scripts/local-mesh/mesh-plan.ts';
import type { Running } from '../../scripts/local-mesh/running.ts';
import type { ListedConnection } from '../../sidecar/listeners/registry-entry.ts';
import { type App, httpApp } from '../support/app-server.ts';
import { inThread } from '../support/inspector.ts';
import { plannedMesh, type TestMesh } from '../support/mesh.ts';
import { type MeshSvid, obtainSvid, peerOf, tlsTo } from '../support/one-sidecar.ts';
import { RawClient } from '../support/raw-client.ts';
import { type Series, seriesAt, sumOf } from '../support/series.ts';
import { until } from '../support/until.ts';

const WORKERS = 2;
const GET = 'GET /now HTTP/1.1\r\nHost: orders\r\n\r\n';
const GATED = 'GET /gated HTTP/1.1\r\nHost: orders\r\n\r\n';

describe('sidecars with two workers', () => {
  let app: App<unknown>;
  let mesh: TestMesh;
  let orders: Running;
  let plan: ServicePlan;
  let svid: MeshSvid;
  const gated: ServerResponse[] = [];

  before(async function () {
    this.timeout(60_000);
    app = await httpApp((request, response) => {
      if (request.url === '/gated') gated.push(response);
      else response.end(`ok ${request.url};`);
    });
    const log = { format: 'json', level: 'info', access: 'debug' };
    const services = [
      { name: 'orders', appPort: app.port, settings: { log, limits: { drainSeconds: 5 } } },
      { name: 'web', next: 'orders', appPort: 9, settings: { workers: WORKERS } },
    ];
    mesh = await plannedMesh({ services });
    plan = mesh.plan.services[0]!;
    await mesh.startIssuer();
    await mesh.startCitadel();
    await mesh.startService('web');
  });
  beforeEach(async () => {
    orders = await launch();
    svid = await obtainSvid(mesh, 'web');
  });
  afterEach(async () => {
    for (const response of gated.splice(0)) response.destroy();
    await orders.stop();
  });
  after(async () => {
    await mesh?.[Symbol.asyncDispose]();
    await app?.[Symbol.asyncDispose]();
  });

  const configFile = (): string => join(mesh.plan.directory, 'orders.yaml');

  async function launch(): Promise<Running> {
    await writeFile(configFile(), asYaml(plan.settings), { mode: 0o600 });
    const words = ['bin/sidecar.js', 'run', '--config', configFile(), '--workers', String(WORKERS)];
    const running = mesh.run('orders sidecar', words, { NODE_OPTIONS: '--inspect-port=0' });
    await running.event('ready', ({ event }) => event === 'ready');
    expect((await fetch(`http://127.0.0.1:${plan.ports.health}/readyz`)).status).to.equal(200);
    return running;
  }

  const series = (): Promise<Series[]> => seriesAt(plan.ports.metrics);

  async function listed(): Promise<readonly ListedConnection[]> {
    const answer = await fetch(`http://127.0.0.1:${plan.ports.admin}/connections`);
    return ((await answer.json()) as { connections: ListedConnection[] }).connections;
  }

  /** Peers that stay, as many as it takes until each worker has some. */
  async function peersInBoth(): Promise<RawClient[]> {
    const peers: RawClient[] = [];
    await until('both workers have some', async () => {
      for (let more = 0; more < 4; more++) peers.push(await peerOf(plan.ports.inbound, svid));
      const workers = (await listed()).map(({ worker }) => worker);
      return [1, 2].every((worker) => workers.includes(worker));
    });
    return peers;
  }

  async function leave(peers: readonly RawClient[]): Promise<void> {
    for (const peer of peers) await peer[Symbol.asyncDispose]();
  }

  it('serve with both, through tunnels and without, and count every call once', async () => {
    const before = sumOf(await series(), 'istio_requests_total');
    const peers = await peersInBoth();
    for (const peer of peers) await peer.send(GET).until('ok');
    const tunnelled = 20;
    for (let call = 0; call < tunnelled; call++) {
      await using client = await RawClient.connect(mesh.service('web').plan.outbound['orders']!);
      await client.send(GET).until('ok');
    }
    const count = peers.length + tunnelled;
    await until('all are counted', async () => sumOf(await series(), 'istio_requests_total') - before === count);
    const calls = (await series()).filter(({ name }) => name === 'istio_requests_total');
    // One series, though two threads have counted: the labels are the same.
    expect(calls).to.have.length(1);
    expect(calls[0]!.labels).to.include({ response_code: '200', source_principal: svid.spiffeId });
    const at = mesh.service('web').plan.ports.metrics;
    await until('the caller’s side too', async () => sumOf(await seriesAt(at), 'istio_requests_total') === tunnelled);
    expect(sumOf(await series(), 'istio_request_duration_milliseconds_count')).to.equal(count);
    await leave(peers);
  });

  it('have one page, whose counters only rise under load and end at what happened', async () => {
    const peers = await peersInBoth();
    let sent = 0;
    let isDone = false;
    const load = Promise.all(
      peers.map(async (peer) => {
        for (let call = 1; call <= 30; call++, sent++) {
          await peer.send(GET.replace('/now', `/${call}`)).until(`ok /${call};`);
        }
      }),
    ).finally(() => {
      isDone = true;
    });
    const last = new Map<string, number>();
    while (!isDone) {
      for (const { name, labels, value } of await series()) {
        if (!/^(istio|sidecar)_.*(_total|_count|_bucket|_sum)$/.test(name)) continue;
        const key = `${name}${JSON.stringify(labels)}`;
        expect(value, key).to.be.at.least(last.get(key) ?? 0);
        last.set(key, value);
      }
    }
    await load;
    await until('all are counted', async () => sumOf(await series(), 'istio_requests_total') === sent);
    await leave(peers);
    await until('nobody is counted as open', async () => {
      return sumOf(await series(), 'sidecar_connections', { leg: 'mtls', listener: 'app' }) === 0;
    });
  });

  it('count refusals and handshakes of both on the one page', async () => {
    for (let call = 0; call < 10; call++) {
      await using client = await RawClient.connect(plan.ports.inbound);
      await client.send(GET).closed();
    }
    await until(
      'all are counted',
      async () => sumOf(await series(), 'sidecar_refusals_total', { code: 'peer_plaintext' }) === 10,
    );
    const peers = await peersInBoth();
    expect(sumOf(await series(), 'sidecar_handshakes_total', { result: 'ok' })).to.equal(peers.length);
    await leave(peers);
  });

  it('take the next certificate and the new log level in both at one SIGHUP', async () => {
    const serials = async (): Promise<string[]> => {
      const sockets = await Promise.all(Array.from({ length: 12 }, () => connected()));
      const seen = new Set(sockets.map((socket) => socket.getPeerX509Certificate()!.serialNumber));
      for (const socket of sockets) socket.destroy();
      return [...seen];
    };
    const [first, ...others] = await serials();
    expect(others).to.deep.equal([]);
    const text = await readFile(configFile(), 'utf8');
    await writeFile(configFile(), text.replace('level: info', 'level: debug'));
    const reloaded = orders.next('it has reloaded', ({ event }) => event === 'reloaded');
    orders.child.kill('SIGHUP');
    expect((await reloaded).fields).to.include({ logLevel: 'debug' });
    await until('the new certificate alone', async () => {
      const seen = await serials();
      return seen.length === 1 && seen[0] !== first;
    });
    expect(orders.events(({ event }) => event === 'request_served')).to.deep.equal([]);
    const peers = await peersInBoth();
    for (const peer of peers) await peer.send(GET).until('ok');
    await until('lines of both', () => {
      const workers = new Set(
        orders.events(({ event }) => event === 'request_served').map(({ fields }) => fields['worker']),
      );
      return workers.size === WORKERS;
    });
    await leave(peers);
  });

  async function connected(): Promise<TLSSocket> {
    const socket = tlsTo(plan.ports.inbound, svid);
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    return socket;
  }

  it('finish in both what they are doing at SIGTERM, and end with code 0', async () => {
    const peers = await peersInBoth();
    for (const peer of peers) peer.send(GATED);
    await until('all are being served', () => gated.length === peers.length);
    orders.child.kill('SIGTERM');
    await until('new ones are not taken', () =>
      RawClient.connect(plan.ports.inbound).then(
        (client) => client[Symbol.asyncDispose]().then(() => false),
        () => true,
      ),
    );
    for (const response of gated.splice(0)) response.end('in time');
    for (const peer of peers) {
      expect(await peer.until('in time')).to.include('200 OK');
      peer.end();
    }
    expect(await orders.exited).to.deep.equal({ code: 0, signal: null });
    expect(orders.events(({ event }) => event === 'stopped')[0]!.fields).to.include({ clean: true });
    await leave(peers);
  });

  it('end with code 1 and a word when a worker breaks', async () => {
    const peers = await peersInBoth();
    await inThread(orders, 'sidecar-worker', `setImmediate(() => { throw new TypeError('broken on purpose') })`);
    expect(await orders.exited).to.deep.equal({ code: 1, signal: null });
    const [failed] = orders.events(({ event }) => event === 'worker_failed');
    expect(failed!.fields).to.include({
      level: 'error',
      code: 'worker_failed',
      reason: 'TypeError: broken on purpose',
    });
    expect(orders.events(({ event }) => event === 'crashed')).to.have.length(1);
    await leave(peers);
  });
});
