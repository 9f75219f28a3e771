/**
 * Promise: mutual TLS with a sidecar is plain mutual TLS. Programs that know nothing of SPIFFE call it with an SVID
 * from citadel, and are called by it when they serve one: it is the sidecar that checks the SPIFFE ID, both ways.
 * Real parts: dev issuer, citadel and a sidecar as processes; openssl, curl and nginx as they come with Debian.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { freePorts } from '../../scripts/local-mesh/ports.ts';
import { type CountingApp, countingApp } from '../support/counting-app.ts';
import { Nginx } from '../support/nginx.ts';
import { OneSidecar } from '../support/one-sidecar.ts';
import { opensslIdentity, type SvidFiles, svidFiles } from '../support/svid-files.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { tool } from '../support/tool.ts';

const WEB = 'spiffe://cluster.local/ns/shop/sa/web';
const OTHER = 'spiffe://cluster.local/ns/shop/sa/other';

describe('a sidecar and programs that are not ours', () => {
  let app: CountingApp;
  let sidecar: OneSidecar;
  let folder: string;
  let files: SvidFiles;
  let nginx: Nginx;
  let ports: { server: number; stranger: number; client: number };

  before(async function () {
    this.timeout(60_000);
    app = await countingApp();
    const [server, stranger, client] = (await freePorts(3)) as [number, number, number];
    ports = { server, stranger, client };
    const to = (port: number): string => `127.0.0.1:${port}`;
    sidecar = await OneSidecar.start({
      appPort: app.port,
      outbound: [
        { name: 'nginx', to: to(server), peers: [WEB] },
        { name: 'mistaken', to: to(server), peers: [OTHER] },
        { name: 'stranger', to: to(stranger), peers: [WEB] },
      ],
    });
    folder = await mkdtemp(join(tmpdir(), 'sallyport-foreign-'));
    files = await svidFiles(folder, await sidecar.svid());
    nginx = await Nginx.start(folder, await servers(), client);
  });
  after(async () => {
    await nginx?.[Symbol.asyncDispose]();
    await sidecar?.[Symbol.asyncDispose]();
    await app?.[Symbol.asyncDispose]();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  async function servers(): Promise<string> {
    const tlsServer = (port: number, { cert, key }: SvidFiles, words: string): string => `server {
      listen 127.0.0.1:${port} ssl;
      ssl_protocols TLSv1.3;
      ssl_certificate ${cert}; ssl_certificate_key ${key};
      ssl_verify_client on; ssl_client_certificate ${files.root}; ssl_verify_depth 3;
      location / { return 200 "${words}, client $ssl_client_verify"; }
    }`;
    const foreign = createTestAuthority({ trustDomain: 'cluster.local' });
    const { chainPem: certPem, keyPem } = foreign.svid({ uri: WEB });
    const elsewhere = await mkdtemp(join(folder, 'foreign-'));
    const stranger = await svidFiles(elsewhere, {
      certPem,
      keyPem,
      rootPem: foreign.rootPem,
      spiffeId: WEB,
      notAfter: 0,
    });
    // proxy_ssl_verify stays off: nginx can only look for a DNS name, and an SVID has none.
    const client = `server {
      listen 127.0.0.1:${ports.client};
      location / {
        proxy_pass https://127.0.0.1:${sidecar.port};
        proxy_http_version 1.1;
        proxy_ssl_protocols TLSv1.3;
        proxy_ssl_certificate ${files.cert}; proxy_ssl_certificate_key ${files.key};
        proxy_ssl_trusted_certificate ${files.root}; proxy_ssl_verify off;
      }
    }`;
    return [tlsServer(ports.server, files, 'nginx'), tlsServer(ports.stranger, stranger, 'stranger'), client].join(
      '\n',
    );
  }

  const curl = (...args: string[]) => tool('curl', ['--silent', '--show-error', '--max-time', '10', ...args]);
  const inbound = (path: string): string => `https://127.0.0.1:${sidecar.port}${path}`;
  const outbound = (name: string): string => `http://127.0.0.1:${sidecar.orders.plan.outbound[name]}/`;

  /** The app saw one request of that path, from the workload that the SVID names. */
  function expectAsked(seen: ReturnType<CountingApp['watch']>, path: string): void {
    const requests = seen();
    expect(requests.map(({ start }) => start)).to.deep.equal([`GET ${path} HTTP/1.1`]);
    expect(requests[0]!.head).to.match(
      new RegExp(`\r\nX-Forwarded-Client-Cert: By=[^;]+;Hash=[0-9a-f]{64};Subject="";URI=${WEB}\r\n`),
    );
  }

  it('serves openssl, which verifies the chain and sees the SPIFFE ID', async () => {
    const seen = app.watch();
    const args = ['s_client', '-connect', `127.0.0.1:${sidecar.port}`, '-ign_eof', '-verify_return_error'];
    const input = 'GET /openssl HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
    const { code, stdout } = await tool('openssl', [...args, ...opensslIdentity(files)], { input });
    expect(code).to.equal(0);
    expect(stdout)
      .to.include('Verification: OK')
      .and.to.match(/HTTP\/1\.1 200 OK\r?\n[\s\S]*served/);
    const [, certificate] = /(-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----)/.exec(stdout)!;
    const shown = await tool('openssl', ['x509', '-noout', '-ext', 'subjectAltName'], { input: certificate! });
    expect(shown.stdout).to.include(`URI:${sidecar.orders.plan.spiffeId}`);
    expectAsked(seen, '/openssl');
  });

  it('serves curl, which has no check of its own that fits an SVID', async () => {
    const seen = app.watch();
    const identity = ['--cert', files.cert, '--key', files.key, '--cacert', files.root];
    // curl checks host names, and an SVID carries none: a good chain does not satisfy it, and without it nothing is checked.
    const strict = await curl(...identity, inbound('/strict'));
    expect(strict.code, strict.stderr).to.equal(60);
    expect(strict.stderr).to.match(/common name|alternative certificate subject name/);
    const { code, stdout, stderr } = await curl(...identity, '--insecure', inbound('/curl'));
    expect([code, stdout, stderr]).to.deep.equal([0, 'served', '']);
    expectAsked(seen, '/curl');
  });

  it('does not serve curl without an SVID', async () => {
    const seen = app.watch();
    const told = sidecar.orders.sidecar.next('the refusal', ({ event }) => event === 'peer_refused');
    const { code, stdout } = await curl('--insecure', inbound('/nobody'));
    expect([code === 0, stdout]).to.deep.equal([false, '']);
    expect((await told).fields['code']).to.equal('peer_certificate_missing');
    expect(seen()).to.deep.equal([]);
  });

  it('serves nginx as a client, and each of its connections anew although it offers earlier sessions', async () => {
    for (let at = 0; at < 5; at++) {
      const seen = app.watch();
      const { code, stdout } = await curl(`http://127.0.0.1:${ports.client}/nginx-${at}`);
      expect([code, stdout], nginx.lines.join('\n')).to.deep.equal([0, 'served']);
      expectAsked(seen, `/nginx-${at}`);
    }
    expect(await sidecar.metric('sidecar_refusals_total{code="peer_session_resumed"}')).to.equal(0);
  });

  it('calls nginx for curl, and nginx verifies the sidecar', async () => {
    const { code, stdout } = await curl(outbound('nginx'));
    expect([code, stdout], nginx.lines.join('\n')).to.deep.equal([0, 'nginx, client SUCCESS']);
  });

  for (const [name, what, expected] of [
    ['mistaken', 'an SVID of another workload than is expected there', 'peer_identity_unexpected'],
    ['stranger', 'the expected name by a foreign authority', 'peer_untrusted'],
  ] as const) {
    it(`does not speak to nginx with ${what}`, async () => {
      const told = sidecar.orders.sidecar.next('the refusal', ({ event }) => event === 'request_refused');
      const { stdout } = await curl('--write-out', ' %{http_code}', outbound(name));
      const [, body, status] = /^(.*) (\d+)$/s.exec(stdout)!;
      expect(JSON.parse(body!)).to.include({ code: expected });
      expect(status).to.equal('502');
      expect((await told).fields).to.include({ code: expected, listener: name });
      const handshakes = `sidecar_handshakes_total{direction="outbound",result="${expected}"}`;
      expect(await sidecar.metric(handshakes)).to.equal(1);
    });
  }
});
