import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createKubernetesClient, KubernetesUnavailable } from '../../../citadel/kubernetes/client.ts';
import { CREATE_TOKEN_REVIEWS, permissionProblem } from '../../../citadel/kubernetes/self-check.ts';
import { FakeApiServer } from '../../support/fake-api-server.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { until } from '../../support/until.ts';

async function clusterWithClient() {
  const clock = new FakeClock();
  const server = await new FakeApiServer({ clock }).start();
  const directory = mkdtempSync(join(tmpdir(), 'client-'));
  const [caFile, tokenFile] = [join(directory, 'ca.crt'), join(directory, 'token')];
  writeFileSync(caFile, server.caPem);
  writeFileSync(tokenFile, server.reviewerToken(86_400));
  const client = createKubernetesClient({ url: server.url, caFile, tokenFile, clock, mostBytes: 10_000 });
  return {
    clock,
    server,
    client,
    caFile,
    tokenFile,
    async [Symbol.asyncDispose]() {
      await client.close();
      await server.stop();
      rmSync(directory, { recursive: true });
    },
  };
}

const failureOf = (attempt: Promise<unknown>) =>
  attempt.then(
    () => 'answered',
    (error: unknown) => (error instanceof KubernetesUnavailable ? error.reason : error),
  );

describe('the Kubernetes client', () => {
  it('sends JSON with its token, and gives status, body and Retry-After', async () => {
    await using cluster = await clusterWithClient();
    const { client, server } = cluster;
    const good = await client.request('GET', '/openid/v1/jwks');
    expect([good.status, good.body, good.retryAfterMs]).to.deep.equal([200, server.tokens.keySet, undefined]);
    server.fail({ status: 429, headers: { 'retry-after': '3' }, body: 'slow down' });
    expect(await client.request('GET', '/x')).to.deep.equal({ status: 429, body: undefined, retryAfterMs: 3000 });
  });

  it('speaks to no server that the CA file does not vouch for', async () => {
    await using cluster = await clusterWithClient();
    await using stranger = await new FakeApiServer({ clock: cluster.clock }).start();
    const { caFile, tokenFile, clock } = cluster;
    const client = createKubernetesClient({ url: stranger.url, caFile, tokenFile, clock });
    expect(await failureOf(client.request('GET', '/'))).to.equal('unreachable');
    expect(stranger.calls).to.deep.equal([]);
    await client.close();
  });

  it('stays strict when the environment says otherwise', async () => {
    await using cluster = await clusterWithClient();
    await using stranger = await new FakeApiServer({ clock: cluster.clock }).start();
    const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    try {
      const client = createKubernetesClient({ url: stranger.url, caFile: cluster.caFile, clock: cluster.clock });
      expect(await failureOf(client.request('GET', '/'))).to.equal('unreachable');
      await client.close();
    } finally {
      if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
      else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before;
    }
  });

  it('follows a replaced CA file within half a minute, and keeps the last one when the file is gone', async () => {
    await using cluster = await clusterWithClient();
    const { client, server, clock, caFile } = cluster;
    await client.request('GET', '/openid/v1/jwks');
    writeFileSync(caFile, new FakeApiServer({ clock }).caPem);
    expect((await client.request('GET', '/openid/v1/jwks')).status).to.equal(200);
    await clock.advance(30_000);
    expect(await failureOf(client.request('GET', '/openid/v1/jwks'))).to.equal('unreachable');
    writeFileSync(caFile, server.caPem);
    await clock.advance(30_000);
    expect((await client.request('GET', '/openid/v1/jwks')).status).to.equal(200);
    rmSync(caFile);
    await clock.advance(30_000);
    expect((await client.request('GET', '/openid/v1/jwks')).status).to.equal(200);
    writeFileSync(caFile, server.caPem);
  });

  it('tells apart what keeps it from an answer', async () => {
    await using cluster = await clusterWithClient();
    const { client, server, clock, tokenFile } = cluster;
    server.fail({ instead: 'reset', times: 1 });
    expect(await failureOf(client.request('GET', '/'))).to.equal('unreachable');
    server.fail({ status: 200, body: 'x'.repeat(20_000), times: 1 });
    expect(await failureOf(client.request('GET', '/'))).to.equal('too-large');
    server.fail({ instead: 'hang', times: 1 });
    const slow = failureOf(client.request('GET', '/slow'));
    await until('the call has arrived', () => server.count(/slow/) > 0 || undefined);
    await clock.advance(5000);
    expect(await slow).to.equal('timeout');
    writeFileSync(tokenFile, 'two\nlines');
    expect(await failureOf(client.request('GET', '/'))).to.equal('credentials');
    rmSync(tokenFile);
    expect(await failureOf(client.request('GET', '/'))).to.equal('credentials');
  });
});

describe('a caller of the Kubernetes client', () => {
  it('may leave, and gets its own reason back', async () => {
    await using cluster = await clusterWithClient();
    const { client, server } = cluster;
    server.fail({ instead: 'hang' });
    const leaver = new AbortController();
    const waiting = failureOf(client.request('GET', '/slow', undefined, leaver.signal));
    await until('the call has arrived', () => server.count(/slow/) > 0 || undefined);
    leaver.abort('left');
    expect(await waiting).to.equal('left');
    expect(await failureOf(client.request('GET', '/never', undefined, leaver.signal))).to.equal('left');
    expect(server.count(/never/)).to.equal(0);
  });
});

describe('the check at start', () => {
  const problem = (client: Parameters<typeof permissionProblem>[0]) => permissionProblem(client, CREATE_TOKEN_REVIEWS);

  it('finds nothing where reviews are allowed', async () => {
    await using cluster = await clusterWithClient();
    expect(await problem(cluster.client)).to.equal(undefined);
  });

  it('names what is missing in RBAC', async () => {
    await using cluster = await clusterWithClient();
    cluster.server.forbidReviews();
    expect(await problem(cluster.client)).to.contain('may not create tokenreviews.authentication.k8s.io');
  });

  it('names a token of our own that is not accepted, an odd answer, and a server that is away', async () => {
    await using cluster = await clusterWithClient();
    cluster.server.fail({ status: 500, times: 1 });
    expect(await problem(cluster.client)).to.contain('answered 500');
    writeFileSync(cluster.tokenFile, 'expired');
    expect(await problem(cluster.client)).to.contain('does not accept the token of citadel');
    rmSync(cluster.tokenFile);
    expect(await problem(cluster.client)).to.contain('(credentials)');
  });
});
