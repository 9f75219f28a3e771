/**
 * Promise: whoever cannot prove an SVID of the mesh gets nothing from a sidecar. Every kind of false peer meets its own
 * code, in log and metrics, the app sees no byte of it, and the next honest request is served.
 * Real parts: dev issuer, citadel and a sidecar as processes; Node and openssl as peers; the test is the app.
 */
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { expect } from 'chai';
import type { RefusalCode } from '../../shared/errors/refusal.ts';
import { OID } from '../../shared/x509/oids.ts';
import { type CountingApp, countingApp } from '../support/counting-app.ts';
import { type ForgedOptions, meshAuthority } from '../support/mesh-authority.ts';
import { type MeshSvid, OneSidecar, peerOf, tlsTo } from '../support/one-sidecar.ts';
import { opensslIdentity, svidFiles } from '../support/svid-files.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { USAGE } from '../support/test-certificate.ts';
import { type ToolResult, tool } from '../support/tool.ts';
import { until } from '../support/until.ts';

const HOSTILE = 'GET /hostile HTTP/1.1\r\nHost: a\r\n\r\n';
const HONEST = 'GET /honest HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const ID = (rest: string): string => `spiffe://cluster.local${rest}`;

/** Signed by the mesh's own intermediate, and wrong in one way. */
const FORGED: readonly (readonly [string, RefusalCode, () => ForgedOptions])[] = [
  ['has expired', 'peer_certificate_expired', () => ({ notBefore: Date.now() - 20_000, notAfter: Date.now() - 1_000 })],
  ['is not valid yet', 'peer_certificate_not_yet_valid', () => ({ notBefore: Date.now() + 60_000 })],
  [
    'names another trust domain',
    'peer_trust_domain_unknown',
    () => ({ uris: ['spiffe://elsewhere.example/ns/shop/sa/web'] }),
  ],
  ['carries no URI', 'peer_spiffe_id_missing', () => ({ uris: [], subject: 'web' })],
  ['carries a DNS name only', 'peer_spiffe_id_missing', () => ({ uris: [], dnsNames: ['web.shop.svc'] })],
  ['carries two URIs', 'peer_spiffe_id_several', () => ({ uris: [ID('/ns/shop/sa/web'), ID('/ns/shop/sa/admin')] })],
  ['names the trust domain itself', 'peer_spiffe_id_root', () => ({ uris: [ID('')] })],
  ['names a path with dots', 'peer_spiffe_id_invalid', () => ({ uris: [ID('/ns/shop/sa/../admin')] })],
  ['names a path with an escape', 'peer_spiffe_id_invalid', () => ({ uris: [ID('/ns/shop/sa/%77eb')] })],
  ['names itself in capitals', 'peer_spiffe_id_invalid', () => ({ uris: ['SPIFFE://cluster.local/ns/shop/sa/web'] })],
  [
    'names the trust domain in capitals',
    'peer_spiffe_id_invalid',
    () => ({ uris: ['spiffe://Cluster.local/ns/shop/sa/web'] }),
  ],
  ['names a path that ends with a slash', 'peer_spiffe_id_invalid', () => ({ uris: [ID('/ns/shop/sa/web/')] })],
  ['names a path with a query', 'peer_spiffe_id_invalid', () => ({ uris: [ID('/ns/shop/sa/web?x')] })],
  ['names a port', 'peer_spiffe_id_invalid', () => ({ uris: ['spiffe://cluster.local:443/ns/shop/sa/web'] })],
  ['names a path with a NUL', 'peer_spiffe_id_invalid', () => ({ uris: [ID('/ns/shop/sa/web\0')] })],
  ['has a name of 2049 bytes', 'peer_spiffe_id_invalid', () => ({ uris: [ID('/').padEnd(2049, 'a')] })],
  ['carries a URI of another scheme', 'peer_spiffe_id_invalid', () => ({ uris: ['https://cluster.local/web'] })],
  [
    'is that of an authority',
    'peer_certificate_is_ca',
    () => ({ ca: true, keyUsage: [USAGE.digitalSignature, USAGE.keyCertSign] }),
  ],
  [
    'may sign certificates by its key usage',
    'peer_key_usage_invalid',
    () => ({ keyUsage: [USAGE.digitalSignature, USAGE.keyCertSign] }),
  ],
  ['says nothing of its key usage', 'peer_key_usage_invalid', () => ({ keyUsage: [] })],
  ['is for servers only', 'peer_key_usage_invalid', () => ({ extendedKeyUsage: [OID.serverAuth] })],
];

describe('a sidecar, called by hostile peers', () => {
  let app: CountingApp;
  let sidecar: OneSidecar;
  let folder: string;
  let forge: (options?: ForgedOptions) => MeshSvid;
  let good: MeshSvid;
  let honest = 0;

  before(async function () {
    this.timeout(60_000);
    app = await countingApp();
    sidecar = await OneSidecar.start({ appPort: app.port });
    folder = await mkdtemp(join(tmpdir(), 'sallyport-peers-'));
    forge = await meshAuthority(sidecar.mesh);
    good = await sidecar.svid();
  });
  after(async () => {
    await sidecar?.[Symbol.asyncDispose]();
    await app?.[Symbol.asyncDispose]();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  /** Presents itself, sends a request without waiting for anything, and waits for the end. */
  async function callAs(svid: MeshSvid | undefined, options: ConnectionOptions = {}): Promise<void> {
    const socket = tlsTo(sidecar.port, svid, options);
    socket.on('error', () => socket.destroy()); // how it is told is judged by the sidecar's log
    socket.resume().write(HOSTILE);
    await closed(socket);
  }

  async function isServed(): Promise<void> {
    await using client = await peerOf(sidecar.port, good);
    expect(await client.send(HONEST).closed()).to.match(/^HTTP\/1\.1 200 OK\r\n[\s\S]*served$/);
    honest++;
  }

  /** The whole promise, for one hostile call. */
  async function isRefused(attack: () => Promise<unknown>, code: RefusalCode): Promise<void> {
    const series = [
      `sidecar_refusals_total{code="${code}"}`,
      `sidecar_handshakes_total{direction="inbound",result="${code}"}`,
    ];
    const counted = (): Promise<number[]> => Promise.all(series.map((one) => sidecar.metric(one)));
    const before = await counted();
    const told = sidecar.orders.sidecar.next('the refusal', ({ event }) => event === 'peer_refused');
    await attack();
    const { fields } = await told;
    expect(fields['code'], String(fields['reason'])).to.equal(code);
    expect(fields['remoteAddress']).to.equal('127.0.0.1');
    expect(await counted()).to.deep.equal(before.map((count) => count + 1));
    await isServed();
    expect(app.requests()).to.deep.equal(Array.from({ length: honest }, () => 'GET /honest HTTP/1.1'));
  }

  it('serves a peer with an SVID of citadel', isServed);

  it('serves a peer with an SVID of the test, so that what follows is refused for its fault alone', async () => {
    await using client = await peerOf(sidecar.port, forge());
    expect(await client.send(HONEST).closed()).to.match(/^HTTP\/1\.1 200 OK\r\n/);
    honest++;
  });

  for (const [fault, code, options] of FORGED) {
    it(`refuses a certificate that ${fault}: ${code}`, () => isRefused(() => callAs(forge(options())), code));
  }

  it('refuses a certificate without digitalSignature', () =>
    isRefused(() => callAs(forge({ keyUsage: [USAGE.keyEncipherment] })), 'peer_key_usage_invalid'));

  it('refuses an SVID of another authority for the same trust domain, also with the name of the mesh’s root', async () => {
    for (const subject of ['cluster.local root', 'cluster.local']) {
      const foreign = createTestAuthority({ trustDomain: 'cluster.local', subject });
      const { chainPem, keyPem } = foreign.svid({ uri: good.spiffeId });
      await isRefused(() => callAs({ ...good, certPem: chainPem + foreign.pem, keyPem }), 'peer_untrusted');
    }
  });

  it('refuses an SVID that comes without the intermediate above it', () => {
    const leaf = `${good.certPem.split('-----END CERTIFICATE-----')[0]}-----END CERTIFICATE-----\n`;
    return isRefused(() => callAs({ ...good, certPem: leaf }), 'peer_untrusted');
  });

  it('refuses an SVID under a hundred certificates', () => {
    const others = Array.from({ length: 50 }, () => forge().certPem);
    return isRefused(() => callAs({ ...good, certPem: good.certPem + others.join('') }), 'peer_chain_invalid');
  });

  it('refuses a peer without certificate', () => isRefused(() => callAs(undefined), 'peer_certificate_missing'));

  it('refuses TLS 1.2, also with a good SVID', () =>
    isRefused(() => callAs(good, { maxVersion: 'TLSv1.2' }), 'peer_tls_failed'));

  for (const [what, bytes] of [
    ['HTTP', HOSTILE],
    ['a request to a proxy', 'CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['SSH', 'SSH-2.0-OpenSSH_9.6\r\n'],
  ] as const) {
    it(`refuses plaintext: ${what}`, () =>
      isRefused(async () => {
        const socket = net.connect({ port: sidecar.port, host: '127.0.0.1' });
        socket.on('error', () => socket.destroy());
        socket.resume().write(bytes);
        await closed(socket);
      }, 'peer_plaintext'));
  }

  it('gives an expired peer of Node no way in by the session it had before', async () => {
    const svid = forge({ notAfter: Date.now() + 1_500 });
    const session = await sessionOf(svid);
    await until('the certificate has expired', () => Date.now() > svid.notAfter + 1_000);
    const reused: boolean[] = [];
    await isRefused(async () => {
      const socket = tlsTo(sidecar.port, svid, { session });
      socket.on('error', () => socket.destroy());
      socket.on('secureConnect', () => reused.push(socket.isSessionReused()));
      socket.resume().write(HOSTILE);
      await closed(socket);
    }, 'peer_certificate_expired');
    expect(reused).to.deep.equal([false]);
  });

  it('gives an expired peer of openssl no way in by the session it had before', async () => {
    const svid = forge({ notAfter: Date.now() + 1_500 });
    const session = join(folder, 'session.pem');
    expect((await openssl(svid, ['-sess_out', session], HONEST)).stdout).to.include('200 OK');
    honest++;
    expect(await readFile(session, 'utf8')).to.include('SSL SESSION');
    await until('the certificate has expired', () => Date.now() > svid.notAfter + 1_000);
    await isRefused(async () => {
      const { stdout } = await openssl(svid, ['-sess_in', session], HOSTILE);
      expect(stdout)
        .to.match(/^New, TLSv1\.3/m)
        .and.not.match(/^Reused/m);
    }, 'peer_certificate_expired');
  });

  it('lets nobody in by a mixture: each of them at once beside a good peer', async () => {
    const refusals = async (): Promise<number> =>
      sidecar.orders.sidecar.events(({ event }) => event === 'peer_refused').length;
    const before = await refusals();
    const hostile = FORGED.map(([, , options]) => callAs(forge(options())));
    await Promise.all([...hostile, isServed(), isServed(), isServed()]);
    await until('all are told', async () => (await refusals()) === before + FORGED.length);
    expect(app.requests()).to.deep.equal(Array.from({ length: honest }, () => 'GET /honest HTTP/1.1'));
  });

  it('writes no key, certificate or token about any of them', () => {
    expect(sidecar.orders.sidecar.lines.join('\n')).not.to.match(/PRIVATE|BEGIN |eyJ/);
  });

  async function sessionOf(svid: MeshSvid): Promise<Buffer> {
    const socket = tlsTo(sidecar.port, svid);
    const announced = once(socket, 'session');
    socket.resume().write(HONEST);
    const [session] = (await announced) as [Buffer];
    await closed(socket);
    honest++;
    return session;
  }

  async function openssl(svid: MeshSvid, args: readonly string[], input: string): Promise<ToolResult> {
    const identity = opensslIdentity(await svidFiles(folder, svid));
    return tool('openssl', ['s_client', '-connect', `127.0.0.1:${sidecar.port}`, '-ign_eof', ...identity, ...args], {
      input,
    });
  }
});

/** Closed in whatever way. */
function closed(socket: net.Socket): Promise<void> {
  return new Promise((resolve) => (socket.destroyed ? resolve() : void socket.once('close', () => resolve())));
}
