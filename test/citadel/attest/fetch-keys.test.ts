import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createKeyFetcher, type IssuerAddress } from '../../../citadel/attest/fetch-keys.ts';
import { systemClock } from '../../../shared/clock/clock.ts';
import { FakeApiServer } from '../../support/fake-api-server.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { refusalCodeOf } from '../../support/refusals.ts';
import { makeSigningKey } from '../../support/tokens.ts';
import { until } from '../../support/until.ts';

const KEY_SET = { keys: [makeSigningKey('ES256', 'k1').jwk] };
const UNSAFE = { ...KEY_SET, sallyport_unsafe_dev_issuer: true };

/** An issuer over plain HTTP that answers what the test wants. */
async function plainIssuer(answer: RequestListener) {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const json =
  (document: unknown): RequestListener =>
  (_request, response) =>
    void response.end(JSON.stringify(document));

async function fetchOnce(address: IssuerAddress, clock = systemClock) {
  const fetcher = createKeyFetcher(address, clock);
  try {
    return await fetcher.fetchKeys();
  } finally {
    await fetcher.close();
  }
}

const problemOf = (address: IssuerAddress) =>
  fetchOnce(address).then(
    () => 'fetched',
    (error: Error) => error.message,
  );

describe('fetching the keys of an issuer', () => {
  it('refuses plain HTTP, and an issuer without a name, before anything is sent', async () => {
    const open = (address: IssuerAddress) => refusalCodeOf(() => createKeyFetcher(address, systemClock));
    expect(await open({ issuer: 'http://a.test', unsafeDevIssuer: false })).to.equal('config_invalid');
    expect(await open({ issuer: 'https://a.test', jwksUrl: 'http://a.test/k', unsafeDevIssuer: false })).to.equal(
      'config_invalid',
    );
    expect(await open({ issuer: 'https://a.test', jwksUrl: 'file:///k', unsafeDevIssuer: true })).to.equal(
      'config_invalid',
    );
    expect(await open({ jwksUrl: 'https://a.test/k', unsafeDevIssuer: false })).to.equal('config_invalid');
  });

  it('takes keys from a development issuer only when it is named as one', async () => {
    await using issuer = await plainIssuer(json(UNSAFE));
    const jwksUrl = `${issuer.url}/keys`;
    expect((await fetchOnce({ issuer: issuer.url, jwksUrl, unsafeDevIssuer: true })).keys.has('k1')).to.equal(true);
  });

  it('refuses a development issuer behind HTTPS that nobody named', async () => {
    await using cluster = await clusterWithFiles();
    cluster.server.fail({ status: 200, body: JSON.stringify(UNSAFE) });
    const address = { issuer: cluster.server.issuer, jwksUrl: `${cluster.server.url}/keys`, caFile: cluster.caFile };
    expect(await problemOf({ ...address, unsafeDevIssuer: false })).to.contain('anybody may have its tokens');
    expect(await problemOf({ ...address, unsafeDevIssuer: true })).to.equal('fetched');
  });

  it('refuses a real issuer over plain HTTP, even when told that it is a development issuer', async () => {
    await using issuer = await plainIssuer(json(KEY_SET));
    expect(await problemOf({ issuer: issuer.url, jwksUrl: issuer.url, unsafeDevIssuer: true })).to.contain(
      'over https',
    );
  });

  it('finds the keys through the discovery document, which must name this issuer', async () => {
    await using issuer = await plainIssuer((request, response) => {
      const named = request.headers.host === undefined ? '' : `http://${request.headers.host}`;
      const discovery = {
        issuer: request.url?.startsWith('/wrong') ? 'http://other.test' : `${named}/right`,
        jwks_uri: `${named}/keys`,
      };
      response.end(JSON.stringify(request.url?.endsWith('/keys') ? UNSAFE : discovery));
    });
    expect(await problemOf({ issuer: `${issuer.url}/right`, unsafeDevIssuer: true })).to.equal('fetched');
    expect(await problemOf({ issuer: `${issuer.url}/wrong`, unsafeDevIssuer: true })).to.contain('another issuer');
  });

  it('follows no redirect', async () => {
    await using issuer = await plainIssuer((request, response) => {
      if (request.url === '/moved') response.end(JSON.stringify(UNSAFE));
      else response.writeHead(302, { location: '/moved' }).end();
    });
    expect(await problemOf({ issuer: issuer.url, jwksUrl: `${issuer.url}/keys`, unsafeDevIssuer: true })).to.contain(
      'answers 302',
    );
  });

  it('reads no more than a bound', async () => {
    await using issuer = await plainIssuer((_request, response) => void response.end('x'.repeat(1 << 20)));
    expect(await problemOf({ issuer: issuer.url, jwksUrl: issuer.url, unsafeDevIssuer: true })).to.contain(
      'more than 262144 bytes',
    );
  });

  it('waits no longer than a bound', async () => {
    let asked = false;
    await using issuer = await plainIssuer(() => (asked = true));
    const clock = new FakeClock();
    const outcome = fetchOnce({ issuer: issuer.url, jwksUrl: issuer.url, unsafeDevIssuer: true }, clock).catch(
      (error: Error) => error.message,
    );
    await until('the issuer is asked', () => asked || undefined);
    await clock.advance(5000);
    expect(await outcome).to.contain('no answer within 5000 ms');
  });

  it('verifies the server by the CA file, and shows its own token where one is wanted', async () => {
    await using cluster = await clusterWithFiles();
    const { server, caFile, tokenFile } = cluster;
    const address = { issuer: server.issuer, jwksUrl: `${server.url}/openid/v1/jwks`, unsafeDevIssuer: false };
    expect(await problemOf(address)).to.match(/SELF_SIGNED|UNABLE_TO|certificate/);
    expect(await problemOf({ ...address, caFile })).to.contain('answers 403');
    const { keys } = await fetchOnce({ ...address, caFile, tokenFile });
    expect([...keys.keys()]).to.deep.equal([server.tokens.key.keyId]);
    expect((await fetchOnce({ issuer: server.issuer, caFile, tokenFile, unsafeDevIssuer: false })).keys.size).to.equal(
      1,
    );
  });

  it('never shows its own token over plain HTTP', async () => {
    let shown: string | undefined = 'nothing asked';
    await using issuer = await plainIssuer((request, response) => {
      shown = request.headers.authorization;
      response.end(JSON.stringify(UNSAFE));
    });
    await using cluster = await clusterWithFiles();
    await fetchOnce({ issuer: issuer.url, jwksUrl: issuer.url, tokenFile: cluster.tokenFile, unsafeDevIssuer: true });
    expect(shown).to.equal(undefined);
  });
});

async function clusterWithFiles() {
  const server = await new FakeApiServer({ clock: systemClock }).start();
  const directory = mkdtempSync(join(tmpdir(), 'keys-'));
  const [caFile, tokenFile] = [join(directory, 'ca.crt'), join(directory, 'token')];
  writeFileSync(caFile, server.caPem);
  writeFileSync(tokenFile, server.reviewerToken());
  return {
    server,
    caFile,
    tokenFile,
    async [Symbol.asyncDispose]() {
      await server.stop();
      rmSync(directory, { recursive: true });
    },
  };
}
