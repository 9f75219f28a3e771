import { request } from 'node:http';
import net from 'node:net';
import { expect } from 'chai';
import { systemClock } from '../../../shared/clock/clock.ts';
import type { PlainHttpServer } from '../../../shared/http/plain-http-server.ts';
import { Exposition } from '../../../shared/metrics/exposition.ts';
import { createAdminServer, createHealthServer, createMetricsServer } from '../../../sidecar/admin/operator-pages.ts';
import { IdentityStore } from '../../../sidecar/identity/identity-store.ts';
import type { Missing } from '../../../sidecar/lifecycle/readiness.ts';
import { IdentityMetrics } from '../../../sidecar/telemetry/identity-metrics.ts';
import { RecordedLog } from '../../support/recorded-log.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { storeOf } from '../../support/tls-peers.ts';

const ROOT = createTestAuthority({ trustDomain: 'cluster.local' });
const WEB = 'spiffe://cluster.local/ns/shop/sa/web';

interface Reply {
  readonly status: number;
  readonly text: string;
  readonly allow: string | undefined;
}

describe('the pages for operators', () => {
  const servers: PlainHttpServer[] = [];
  afterEach(() => Promise.all(servers.splice(0).map((server) => server.close())));

  async function opened(server: PlainHttpServer): Promise<number> {
    servers.push(server);
    return (await server.listen('127.0.0.1:0')).port;
  }

  function admin(
    store: IdentityStore,
    log = new RecordedLog(),
    list: object[] = [{ id: 1, peer: WEB }],
  ): PlainHttpServer {
    const state = {
      nextTryAt: Date.UTC(2026, 0, 1),
      lastFailure: { code: 'citadel_unreachable', at: 0 },
      failures: 3,
    } as const;
    return createAdminServer({
      store,
      renewal: { state },
      clock: systemClock,
      connections: async () => list,
      config: () => 'trustDomain: cluster.local\n',
      log,
    });
  }

  describe('on the admin port', () => {
    it('show the identity with its dates and fingerprints, and how renewal goes', async () => {
      const store = storeOf(ROOT, { uri: WEB });
      const { status, text } = await get(await opened(admin(store)), '/identity');
      expect(status).to.equal(200);
      const shown = JSON.parse(text) as Record<string, Record<string, unknown>>;
      const { leaf, notAfter } = store.identity!;
      expect(shown['identity']).to.deep.include({
        spiffeId: WEB,
        serial: leaf.serial,
        notAfter: new Date(notAfter).toISOString(),
        expired: false,
        generation: 1,
        chainSha256: [leaf.fingerprint],
      });
      expect(shown['trust']!['bundles']).to.have.length(1);
      expect(shown['renewal']).to.deep.include({ nextTryAt: '2026-01-01T00:00:00.000Z', failuresSinceSuccess: 3 });
      expect(shown['renewal']!['lastFailure']).to.include({ code: 'citadel_unreachable' });
    });

    it('show no more connections than somebody can read, and how many there are', async () => {
      const list = Array.from({ length: 2_500 }, (_, id) => ({ id }));
      const { text } = await get(await opened(admin(storeOf(ROOT), new RecordedLog(), list)), '/connections');
      const shown = JSON.parse(text) as { open: number; connections: { id: number }[] };
      expect([shown.open, shown.connections.length, shown.connections.at(-1)]).to.deep.equal([
        2_500,
        1_000,
        { id: 999 },
      ]);
    });

    it('never show a key, a PEM or a token', async () => {
      const store = storeOf(ROOT, { uri: WEB });
      const port = await opened(admin(store));
      const pages = await Promise.all(['/identity', '/config', '/connections'].map((path) => get(port, path)));
      const text = pages.map((page) => page.text).join('\n');
      expect(text).not.to.match(/PRIVATE|BEGIN|eyJ/);
      expect(text).not.to.include(store.identity!.keyPem.split('\n')[1]!);
    });

    it('say that there is no identity yet', async () => {
      const store = new IdentityStore({ trustDomain: 'cluster.local', clock: systemClock, log: new RecordedLog() });
      const { text } = await get(await opened(admin(store)), '/identity');
      expect(JSON.parse(text)).to.deep.include({ identity: null, trust: null });
    });

    it('are not for a web page that rebinds its own name to loopback', async () => {
      const port = await opened(admin(storeOf(ROOT)));
      for (const host of ['evil.test', `evil.test:${port}`, '10.0.0.1']) {
        const reply = await get(port, '/identity', { host });
        expect(reply.status).to.equal(421);
        expect(reply.text).not.to.include('spiffe');
      }
      expect((await get(port, '/identity', { host: `localhost:${port}` })).status).to.equal(200);
    });

    it('take GET and HEAD only', async () => {
      const port = await opened(admin(storeOf(ROOT)));
      expect(await get(port, '/config', { method: 'POST' })).to.include({ status: 405, allow: 'GET, HEAD' });
      expect(await get(port, '/config', { method: 'HEAD' })).to.include({ status: 200, text: '' });
    });

    it('are a fixed table: other paths lead nowhere', async () => {
      const port = await opened(admin(storeOf(ROOT)));
      for (const path of ['/', '/constructor', '/__proto__', '/identity/', '/../config', '/healthz']) {
        expect((await get(port, path)).status, path).to.equal(404);
      }
      expect((await get(port, '/identity?x=1')).status).to.equal(200);
    });

    it('survive a page that fails, and keep the reason to the log', async () => {
      const log = new RecordedLog();
      const server = createAdminServer({
        store: storeOf(ROOT),
        renewal: { state: { nextTryAt: undefined, lastFailure: undefined, failures: 0 } },
        clock: systemClock,
        connections: async () => [],
        config: () => Promise.reject(new Error('secret reason')),
        log,
      });
      const reply = await get(await opened(server), '/config');
      expect(reply.status).to.equal(500);
      expect(reply.text).not.to.include('secret reason');
      expect(log.events('page_failed')[0]!.fields).to.include({ error: 'secret reason' });
    });

    it('refuse a header beyond their limit', async () => {
      const port = await opened(admin(storeOf(ROOT)));
      expect((await get(port, '/identity', { headers: { 'x-long': 'x'.repeat(20_000) } })).status).to.equal(431);
    });
  });

  describe('on the health port', () => {
    it('tell alive from ready, and what is missing', async () => {
      let missing: Missing[] = [{ what: 'identity', why: 'no certificate yet' }];
      const port = await opened(createHealthServer({ readiness: { missing: () => missing }, log: new RecordedLog() }));
      expect((await get(port, '/healthz')).status).to.equal(200);
      const notReady = await get(port, '/readyz');
      expect(notReady.status).to.equal(503);
      expect(JSON.parse(notReady.text)).to.deep.equal({ ready: false, missing });
      missing = [];
      expect((await get(port, '/readyz')).status).to.equal(200);
    });

    it('answer kubelet, whatever name it uses', async () => {
      const port = await opened(createHealthServer({ readiness: { missing: () => [] }, log: new RecordedLog() }));
      expect((await get(port, '/healthz', { host: '10.1.2.3:15021' })).status).to.equal(200);
    });
  });

  describe('on the metrics port', () => {
    it('show every metric of the identity', async () => {
      const metrics = new IdentityMetrics('1.2.3');
      const port = await opened(
        createMetricsServer({ exposition: new Exposition(metrics.all()), log: new RecordedLog() }),
      );
      const { status, text } = await get(port, '/metrics');
      expect(status).to.equal(200);
      for (const { name } of metrics.all()) expect(text).to.include(`# HELP ${name} `);
      expect(text).to.include(`sidecar_build_info{version="1.2.3",node_version="${process.version}"} 1`);
    });
  });

  it('are closed at once, also with a connection kept alive', async () => {
    const server = admin(storeOf(ROOT));
    const { port } = await server.listen('127.0.0.1:0');
    const socket = net.connect(port, '127.0.0.1');
    await new Promise((resolve) => socket.once('connect', resolve));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.resume();
    await server.close();
    await closed;
  });
});

function get(
  port: number,
  path: string,
  options: { host?: string; method?: string; headers?: Record<string, string> } = {},
): Promise<Reply> {
  const { host, method = 'GET', headers = {} } = options;
  return new Promise((resolve, reject) => {
    const call = request(
      { host: '127.0.0.1', port, path, method, agent: false, headers: { ...headers, ...(host ? { host } : {}) } },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => (text += part));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text, allow: response.headers.allow }));
      },
    );
    call.on('error', reject).end();
  });
}
