import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { systemClock } from '../../../shared/clock/clock.ts';
import { Refusal } from '../../../shared/errors/refusal.ts';
import { silentLog } from '../../../shared/log/log.ts';
import { buildCsr } from '../../../shared/x509/csr-builder.ts';
import { CitadelConnection } from '../../../sidecar/identity/citadel-connection.ts';
import { CitadelSource } from '../../../sidecar/identity/citadel-source.ts';
import { TokenFile } from '../../../sidecar/identity/token-file.ts';
import { IdentityMetrics } from '../../../sidecar/telemetry/identity-metrics.ts';
import { type Answer, FakeCitadel, tokenUntil } from '../../support/fake-citadel.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { tool } from '../../support/tool.ts';

const ROOT = createTestAuthority({ trustDomain: 'cluster.local' });
const OTHER = createTestAuthority({ trustDomain: 'cluster.local', subject: 'somebody else' });
const HOUR = 3_600_000;
const CSR = buildCsr(generateKeyPairSync('ec', { namedCurve: 'P-256' }));

describe('citadel as the source of identities', () => {
  let folder: string;
  let tokenFile: string;
  let caFile: string;
  const metrics = new IdentityMetrics('test');
  const stop = new AbortController();
  const sources: CitadelSource[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sallyport-test-'));
    [tokenFile, caFile] = [join(folder, 'token'), join(folder, 'ca.pem')];
    await writeFile(tokenFile, tokenUntil(systemClock.now() + HOUR));
    await writeFile(caFile, ROOT.rootPem);
  });
  afterEach(async () => {
    await Promise.all(sources.splice(0).map((source) => source.close()));
    await rm(folder, { recursive: true });
  });

  function sourceAt(url: string, certificateSeconds?: number): CitadelSource {
    const connection = new CitadelConnection({ url, caFile, clock: systemClock });
    const token = new TokenFile({ file: tokenFile, clock: systemClock, metrics });
    const source = new CitadelSource({
      connection,
      token,
      certificateSeconds,
      clock: systemClock,
      log: silentLog,
      metrics,
    });
    sources.push(source);
    return source;
  }

  async function refusalFrom(source: CitadelSource): Promise<Refusal> {
    const outcome: unknown = await source.obtain(CSR, stop.signal).catch((error: unknown) => error);
    expect(outcome).to.be.instanceOf(Refusal);
    return outcome as Refusal;
  }

  it('sends token and CSR, and gives back the chain and the roots', async () => {
    await using citadel = await FakeCitadel.start({ authority: ROOT });
    const material = await sourceAt(citadel.url, 600).obtain(CSR, stop.signal);
    const [request] = citadel.requests;
    expect(request).to.include({
      method: 'POST',
      path: '/v1/certificates',
      token: tokenUntil(metrics.tokenExpiry.get() * 1000),
    });
    expect(JSON.parse(request!.body)).to.have.all.keys('csr', 'ttlSeconds').and.include({ ttlSeconds: 600 });
    expect(material.chain).to.have.length(1);
    expect(material.authorities[0]!.equals(ROOT.rootDer)).to.equal(true);
    expect(material.spiffeId).to.equal(citadel.spiffeId);
  });

  it('measures the clock against citadel’s', async () => {
    await using citadel = await FakeCitadel.start({ authority: ROOT });
    citadel.answers.push((pem) =>
      citadel.issue(pem, { serverTime: new Date(systemClock.now() - 90_000).toISOString() }),
    );
    await sourceAt(citadel.url).obtain(CSR, stop.signal);
    expect(metrics.clockSkew.get()).to.be.closeTo(90, 5);
  });

  it('reads the token again for every call', async () => {
    await using citadel = await FakeCitadel.start({ authority: ROOT });
    const source = sourceAt(citadel.url);
    await source.obtain(CSR, stop.signal);
    const newer = tokenUntil(systemClock.now() + 2 * HOUR);
    await writeFile(tokenFile, newer);
    await source.obtain(CSR, stop.signal);
    expect(citadel.requests[1]!.token).to.equal(newer);
  });

  it('sends nothing at all when the token has expired, is missing, or is no token', async () => {
    await using citadel = await FakeCitadel.start({ authority: ROOT });
    const source = sourceAt(citadel.url);
    await writeFile(tokenFile, tokenUntil(systemClock.now() - 1000));
    expect((await refusalFrom(source)).code).to.equal('local_token_expired');
    await writeFile(tokenFile, '');
    expect((await refusalFrom(source)).code).to.equal('local_token_missing');
    await rm(tokenFile);
    expect((await refusalFrom(source)).code).to.equal('local_token_missing');
    await writeFile(tokenFile, ROOT.svid().keyPem);
    const refusal = await refusalFrom(source);
    expect(refusal.code).to.equal('token_malformed');
    expect(refusal.detail).not.to.include('PRIVATE');
    expect(citadel.requests).to.deep.equal([]);
    expect(citadel.connections).to.equal(0);
  });

  it('reads no more of a token file than a token has, and waits for none: huge, endless, silent or a folder', async () => {
    await using citadel = await FakeCitadel.start({ authority: ROOT });
    const source = sourceAt(citadel.url);
    await truncate(tokenFile, 2 ** 40); // more than there is memory
    expect((await refusalFrom(source)).code).to.equal('token_too_large');
    const instead: readonly (readonly [string, () => Promise<unknown>])[] = [
      ['token_too_large', () => symlink('/dev/zero', tokenFile)],
      ['local_token_missing', () => mkdir(tokenFile)],
      ['local_token_missing', () => tool('mkfifo', [tokenFile])],
      ['local_token_missing', () => symlink(tokenFile, tokenFile)],
    ];
    for (const [code, place] of instead) {
      await rm(tokenFile, { recursive: true });
      await place();
      expect((await refusalFrom(source)).code).to.equal(code);
    }
    await rm(tokenFile);
    await writeFile(join(folder, 'projected'), tokenUntil(systemClock.now() + HOUR));
    await symlink(join(folder, 'projected'), tokenFile);
    expect(citadel.requests).to.deep.equal([]);
    await source.obtain(CSR, stop.signal);
  });

  it('reads no more of a file of authorities than such a file has', async () => {
    await using citadel = await FakeCitadel.start({ authority: ROOT });
    await truncate(caFile, 2 ** 40);
    const refusal = await refusalFrom(sourceAt(citadel.url));
    expect([refusal.code, refusal.detail]).to.deep.equal(['file_unreadable', `citadel.caFile ${caFile} (too large)`]);
    expect(citadel.connections).to.equal(0);
  });

  it('sends no token to a server under another authority, and believes it once the file names that authority', async () => {
    await using impostor = await FakeCitadel.start({ authority: ROOT, servedBy: OTHER });
    const source = sourceAt(impostor.url);
    expect((await refusalFrom(source)).code).to.equal('citadel_untrusted');
    expect(impostor.requests).to.deep.equal([]);
    await writeFile(caFile, ROOT.rootPem + OTHER.rootPem);
    await source.obtain(CSR, stop.signal);
    expect(impostor.requests).to.have.length(1);
  });

  it('no longer believes an authority that was taken out of the file', async () => {
    await using citadel = await FakeCitadel.start({ authority: ROOT });
    const source = sourceAt(citadel.url);
    await source.obtain(CSR, stop.signal);
    await writeFile(caFile, OTHER.rootPem);
    expect((await refusalFrom(source)).code).to.equal('citadel_untrusted');
    await writeFile(caFile, 'nothing of the kind');
    expect((await refusalFrom(source)).code).to.equal('file_unreadable');
  });

  it('sends no token to a server whose certificate names another host', async () => {
    await using citadel = await FakeCitadel.start({ authority: ROOT, ipAddresses: ['127.0.0.2'] });
    expect((await refusalFrom(sourceAt(citadel.url))).code).to.equal('citadel_untrusted');
    expect(citadel.requests).to.deep.equal([]);
  });

  it('sends no token over TLS 1.2', async () => {
    await using citadel = await FakeCitadel.start({
      authority: ROOT,
      tls: { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' },
    });
    expect((await refusalFrom(sourceAt(citadel.url))).code).to.equal('citadel_untrusted');
    expect(citadel.requests).to.deep.equal([]);
  });

  it('sends no token to a server that speaks plaintext', async () => {
    let received = '';
    const server = net.createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.on('data', (part: Buffer) => {
        received += part.toString('latin1');
        socket.end('HTTP/1.1 200 OK\r\n\r\n');
      });
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const refusal = await refusalFrom(sourceAt(`https://127.0.0.1:${(server.address() as AddressInfo).port}`));
    server.close();
    expect(refusal.code).to.equal('citadel_untrusted');
    expect(received).not.to.include('Bearer');
  });

  it('tells that nobody is there', async () => {
    const citadel = await FakeCitadel.start({ authority: ROOT });
    await citadel[Symbol.asyncDispose]();
    const refusal = await refusalFrom(sourceAt(citadel.url));
    expect(refusal.code).to.equal('citadel_unreachable');
    expect(refusal.detail).to.include('ECONNREFUSED');
  });

  it('passes on the code that citadel refuses with, and when to come back', async () => {
    await using citadel = await FakeCitadel.start({ authority: ROOT });
    const body = { type: 'urn:sallyport:refusal:overloaded', title: 'x', status: 503, code: 'overloaded' };
    citadel.answers.push(() => ({ status: 503, headers: { 'retry-after': '7' }, body }));
    const refusal = await refusalFrom(sourceAt(citadel.url));
    expect(refusal).to.include({ code: 'overloaded', retryAfterSeconds: 7 });
  });

  it('believes no Retry-After beyond five minutes', async () => {
    await using citadel = await FakeCitadel.start({ authority: ROOT });
    citadel.answers.push(() => ({ status: 503, headers: { 'retry-after': '86400' }, body: { code: 'overloaded' } }));
    expect((await refusalFrom(sourceAt(citadel.url))).retryAfterSeconds).to.equal(300);
  });

  const bad: readonly (readonly [string, (citadel: FakeCitadel, csr: string) => Answer])[] = [
    ['an error without a code', () => ({ status: 502, body: 'bad gateway' })],
    ['a redirect', () => ({ status: 307, headers: { location: 'https://elsewhere.test/v1/certificates' } })],
    ['another kind of success', (citadel, csr) => ({ ...citadel.issue(csr), status: 200 })],
    ['no JSON', () => ({ status: 201, body: '<html>' })],
    ['JSON of another shape', (citadel, csr) => citadel.issue(csr, { certificateChain: 'x' })],
    ['an empty chain', (citadel, csr) => citadel.issue(csr, { certificateChain: [] })],
    ['a chain that is no PEM', (citadel, csr) => citadel.issue(csr, { certificateChain: ['x'] })],
    [
      'two certificates in one block',
      (citadel, csr) => citadel.issue(csr, { trustBundle: [ROOT.rootPem + ROOT.rootPem] }),
    ],
  ];
  for (const [what, answer] of bad) {
    it(`takes ${what} for no answer of citadel`, async () => {
      await using citadel = await FakeCitadel.start({ authority: ROOT });
      citadel.answers.push((csr) => answer(citadel, csr));
      expect((await refusalFrom(sourceAt(citadel.url))).code).to.equal('citadel_answer_invalid');
    });
  }

  it('reads no answer beyond its limit', async () => {
    await using citadel = await FakeCitadel.start({ authority: ROOT });
    citadel.answers.push((csr) => citadel.issue(csr, { more: 'x'.repeat(1_000_000) }));
    const refusal = await refusalFrom(sourceAt(citadel.url));
    expect(refusal.detail).to.include('bytes');
  });

  it('waits ten seconds for an answer and no longer', async () => {
    await using citadel = await FakeCitadel.start({ authority: ROOT });
    const clock = new FakeClock(systemClock.now());
    const never = new Promise<Answer>(() => {});
    citadel.answers.push(() => never);
    const connection = new CitadelConnection({ url: citadel.url, caFile, clock });
    const token = new TokenFile({ file: tokenFile, clock, metrics });
    const source = new CitadelSource({ connection, token, clock, log: silentLog, metrics });
    sources.push(source);
    const asking = refusalFrom(source);
    await citadel.request();
    await clock.advance(9_999);
    expect(clock.pending).to.equal(1);
    await clock.advance(1);
    expect((await asking).code).to.equal('citadel_unreachable');
  });

  it('gives up at once when the sidecar stops', async () => {
    await using citadel = await FakeCitadel.start({ authority: ROOT });
    const stopping = new AbortController();
    const never = new Promise<Answer>(() => {});
    citadel.answers.push(() => never);
    const asking = sourceAt(citadel.url)
      .obtain(CSR, stopping.signal)
      .catch((error: unknown) => error);
    await citadel.request();
    stopping.abort(new Error('stopping'));
    expect(await asking).to.have.property('message', 'stopping');
  });

  it('opens nothing any more when it is stopped while it reads its files', async () => {
    await using citadel = await FakeCitadel.start({ authority: ROOT });
    const source = sourceAt(citadel.url);
    const stopping = new AbortController();
    const calls = [
      source.obtain(CSR, stopping.signal),
      source.watchBundles(() => {}, stopping.signal),
      source.watchBundles(() => {}, stop.signal),
    ];
    const outcomes = Promise.allSettled(calls);
    stopping.abort(new Error('stopping'));
    await source.close();
    expect((await outcomes).map(({ status }) => status)).to.deep.equal(['rejected', 'rejected', 'rejected']);
    expect(citadel.connections).to.equal(0);
  });
});
