import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createKeyFetcher } from '../../../citadel/attest/fetch-keys.ts';
import { JwksSource } from '../../../citadel/attest/jwks-source.ts';
import { createOidcAttestor } from '../../../citadel/attest/oidc-jwks.ts';
import { keepIssuerKey, makeIssuerKey } from '../../../citadel/dev-issuer/issuer-key.ts';
import { devIssuerSpec } from '../../../citadel/dev-issuer/settings.ts';
import { startDevIssuer } from '../../../citadel/dev-issuer/start-dev-issuer.ts';
import { systemRandomness } from '../../../shared/clock/clock.ts';
import { createLog, silentLog } from '../../../shared/log/log.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { refusalCodeOf, refusalOf } from '../../support/refusals.ts';
import { until } from '../../support/until.ts';

const never = new AbortController().signal;
const SHOP = [
  { namespace: 'shop', serviceAccount: 'web' },
  { namespace: 'shop', serviceAccount: 'orders' },
];

function temporary() {
  const directory = mkdtempSync(join(tmpdir(), 'issuer-'));
  return { directory, [Symbol.dispose]: () => rmSync(directory, { recursive: true }) };
}

/** A running issuer, and a citadel's view of it. */
async function issuerWith(settings: Record<string, unknown> = {}) {
  const folder = temporary();
  const { directory } = folder;
  const clock = new FakeClock();
  const lines: string[] = [];
  const log = createLog({
    program: 'test',
    level: 'debug',
    format: 'json',
    out: { write: (line) => lines.push(line) },
  });
  const parsed = devIssuerSpec.schema.parse({
    listen: '127.0.0.1:0',
    directory,
    tokenSeconds: 600,
    workloads: SHOP,
    ...settings,
  });
  const running = await startDevIssuer(parsed, { clock, randomness: systemRandomness, log });
  const fetcher = createKeyFetcher({ issuer: running.url, unsafeDevIssuer: true }, clock);
  const keys = new JwksSource({ clock, randomness: systemRandomness, log: silentLog, fetchKeys: fetcher.fetchKeys });
  const policy = { issuer: running.url, audience: 'citadel', maxLifetimeSeconds: 86_400, leewaySeconds: 0 };
  const attestor = createOidcAttestor({ clock, keys, policy, cacheMs: 0 });
  const tokenOf = (name: string) => readFileSync(join(directory, 'shop', name, 'token'), 'utf8');
  return {
    clock,
    directory,
    lines,
    running,
    tokenOf,
    attest: (name: string) => attestor.attest(tokenOf(name), never),
    async [Symbol.asyncDispose]() {
      await attestor.close();
      await fetcher.close();
      await running.close();
      folder[Symbol.dispose]();
    },
  };
}

describe('the development issuer', () => {
  for (const algorithm of ['ES256', 'RS256']) {
    it(`gives each workload a token that citadel accepts (${algorithm})`, async () => {
      await using issuer = await issuerWith({ algorithm });
      const web = await issuer.attest('web');
      expect(web).to.include({ namespace: 'shop', serviceAccount: 'web', nodeName: 'localhost' });
      expect(web.podName).to.match(/^web-[0-9a-f]{5}$/);
      expect((await issuer.attest('orders')).podUid).not.to.equal(web.podUid);
    });
  }

  it('makes the same pods after a restart', async () => {
    const pods = [];
    for (let start = 0; start < 2; start++) {
      await using issuer = await issuerWith();
      const { podUid, podName, serviceAccountUid } = await issuer.attest('web');
      pods.push({ podUid, podName, serviceAccountUid });
    }
    expect(pods[0]).to.deep.equal(pods[1]);
    expect(pods[0]!.podUid).to.match(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it('says in both documents, and at its start in the log, that it is unsafe', async () => {
    await using issuer = await issuerWith();
    for (const path of ['/.well-known/openid-configuration', '/openid/v1/jwks']) {
      const document = (await (await fetch(`${issuer.running.url}${path}`)).json()) as Record<string, unknown>;
      expect(document['sallyport_unsafe_dev_issuer'], path).to.equal(true);
    }
    expect(
      issuer.lines.filter((line) => line.includes('"dev_issuer_unsafe"') && line.includes('"warn"')),
    ).to.have.length(1);
  });

  it('publishes no private key, logs no token and hands out none over HTTP', async () => {
    await using issuer = await issuerWith();
    const published = await (await fetch(`${issuer.running.url}/openid/v1/jwks`)).text();
    expect(JSON.parse(published).keys[0]).to.have.all.keys('crv', 'kty', 'x', 'y', 'kid', 'alg', 'use');
    expect(issuer.lines.join('')).not.to.match(/eyJ|PRIVATE KEY/);
    expect((await fetch(`${issuer.running.url}/token`)).status).to.equal(404);
    expect((await fetch(`${issuer.running.url}/openid/v1/jwks`, { method: 'POST' })).status).to.equal(405);
  });

  it('renews a token at 80 % of its life, and again', async () => {
    await using issuer = await issuerWith();
    const [first, expiry] = [issuer.tokenOf('web'), (await issuer.attest('web')).tokenExpiresAt];
    await issuer.clock.advance(479_000);
    expect(issuer.tokenOf('web')).to.equal(first);
    await issuer.clock.advance(1000);
    await until('the token was renewed', () => issuer.tokenOf('web') !== first || undefined);
    expect((await issuer.attest('web')).tokenExpiresAt).to.equal(expiry + 480_000);
    const second = issuer.tokenOf('web');
    await until('the next renewal is set', () => issuer.clock.pending >= 2 || undefined);
    await issuer.clock.advance(480_000);
    await until('the token was renewed again', () => issuer.tokenOf('web') !== second || undefined);
  });

  it('tries again when a token could not be written', async () => {
    await using issuer = await issuerWith();
    const first = issuer.tokenOf('web');
    rmSync(join(issuer.directory, 'shop'), { recursive: true });
    writeFileSync(join(issuer.directory, 'shop'), 'in the way');
    await issuer.clock.advance(480_000);
    await until(
      'the failure is logged',
      () => issuer.lines.some((line) => line.includes('dev_token_not_written')) || undefined,
    );
    rmSync(join(issuer.directory, 'shop'));
    await until('a token is there', async () => {
      await issuer.clock.advance(5000);
      return issuer.tokenOf('web') !== first;
    });
    expect((await issuer.attest('web')).serviceAccount).to.equal('web');
  });

  it('writes an expired token where one is wished for, and leaves it expired', async () => {
    await using issuer = await issuerWith({
      workloads: [{ namespace: 'shop', serviceAccount: 'late', expired: true }],
    });
    expect(await refusalCodeOf(issuer.attest('late'))).to.equal('token_expired');
    await issuer.clock.advance(3_600_000);
    expect(await refusalCodeOf(issuer.attest('late'))).to.equal('token_expired');
  });

  it('does not start when a token file cannot be written, and frees its port', async () => {
    using folder = temporary();
    writeFileSync(join(folder.directory, 'shop'), 'in the way');
    expect(
      await issuerWith({ directory: folder.directory }).catch((error: NodeJS.ErrnoException) => error.code),
    ).to.equal('ENOTDIR');
  });

  it('refuses workloads whose names could leave their folder', () => {
    for (const serviceAccount of ['../web', 'a/b', '', '.', 'Web', 'a'.repeat(64)]) {
      const parsed = devIssuerSpec.schema.safeParse({ workloads: [{ namespace: 'shop', serviceAccount }] });
      expect(parsed.success, serviceAccount).to.equal(false);
    }
  });
});

describe('the key of the development issuer', () => {
  it('stays the same over restarts when it has a file, readable by its owner only', () => {
    using folder = temporary();
    const file = join(folder.directory, 'key.pem');
    const made = keepIssuerKey(file, 'ES256');
    expect(statSync(file).mode & 0o777).to.equal(0o600);
    expect(keepIssuerKey(file, 'ES256').keyId).to.equal(made.keyId);
    expect(makeIssuerKey('ES256').keyId).not.to.equal(made.keyId);
  });

  it('is refused when others can read it, when it is none, and when it is for another algorithm', async () => {
    using folder = temporary();
    const file = join(folder.directory, 'key.pem');
    keepIssuerKey(file, 'ES256');
    expect(await refusalCodeOf(() => keepIssuerKey(file, 'RS256'))).to.equal('file_unreadable');
    chmodSync(file, 0o640);
    expect(await refusalCodeOf(() => keepIssuerKey(file, 'ES256'))).to.equal('file_permissions_open');
    chmodSync(file, 0o600);
    writeFileSync(file, '-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n');
    const { code, detail } = await refusalOf(() => keepIssuerKey(file, 'ES256'));
    expect(code).to.equal('file_unreadable');
    expect(detail).not.to.contain('c2Vj');
  });
});
