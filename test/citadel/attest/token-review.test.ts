import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createTokenReviewAttestor, type TokenReviewAttestorOptions } from '../../../citadel/attest/token-review.ts';
import { createKubernetesClient } from '../../../citadel/kubernetes/client.ts';
import { FakeApiServer, type FakeApiServerOptions } from '../../support/fake-api-server.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { refusalCodeOf, refusalOf } from '../../support/refusals.ts';
import { podClaims, signToken, withKubernetes } from '../../support/tokens.ts';
import { malformedTokens, misclaimedTokens } from '../../support/tokens-hostile.ts';
import { until } from '../../support/until.ts';

const never = new AbortController().signal;
const randomness = { draw: () => 0.5, bytes: (count: number) => Buffer.alloc(count) };
const REVIEWS = /tokenreviews$/;

/** A cluster with one pod, and an attestor that asks it. */
async function clusterWith(
  options: Partial<TokenReviewAttestorOptions> = {},
  serverOptions: Partial<FakeApiServerOptions> = {},
) {
  const clock = new FakeClock();
  const directory = mkdtempSync(join(tmpdir(), 'review-'));
  const server = await new FakeApiServer({ clock, ...serverOptions }).start();
  const [caFile, tokenFile] = [join(directory, 'ca.crt'), join(directory, 'token')];
  writeFileSync(caFile, server.caPem);
  writeFileSync(tokenFile, server.reviewerToken(86_400));
  const api = createKubernetesClient({ url: server.url, caFile, tokenFile, clock, timeoutMs: 60_000 });
  const outcomes: string[] = [];
  const attestor = createTokenReviewAttestor({
    clock,
    randomness,
    api,
    policy: { audience: 'citadel', maxLifetimeSeconds: 86_400, leewaySeconds: 10 },
    observer: { reviewed: (outcome) => outcomes.push(outcome) },
    ...options,
  });
  return {
    clock,
    server,
    outcomes,
    pod: server.objects.createPod('shop', 'web-1', 'web'),
    tokenFile,
    attest: (token: string, signal: AbortSignal = never) => attestor.attest(token, signal),
    async [Symbol.asyncDispose]() {
      await attestor.close();
      await server.stop();
      rmSync(directory, { recursive: true });
    },
  };
}

describe('attestation by TokenReview', () => {
  it('tells the pod, and asks for exactly our audience', async () => {
    await using cluster = await clusterWith();
    const { server, pod, clock } = cluster;
    const { nodeUid: _, ...facts } = server.objects.factsOf(pod);
    const { tokenId, ...attested } = await cluster.attest(server.podToken(pod));
    expect(attested).to.deep.equal({ method: 'token-review', ...facts, tokenExpiresAt: clock.now() + 3_600_000 });
    expect(tokenId).to.match(/^[0-9a-f-]{36}$/);
    expect(server.lastReview?.spec?.audiences).to.deep.equal(['citadel']);
  });

  it('refuses garbage and wrong claims without asking anybody', async () => {
    await using cluster = await clusterWith();
    const { server, pod, clock } = cluster;
    const claims = podClaims(server.objects.factsOf(pod), { issuer: server.issuer, issuedAt: clock.now() });
    const { key } = server.tokens;
    for (const { fault, token, code } of [
      ...malformedTokens(claims, key),
      ...misclaimedTokens(claims, key, clock.now()),
    ]) {
      expect(await refusalCodeOf(cluster.attest(token)), fault).to.equal(code);
    }
    expect(server.count(REVIEWS)).to.equal(0);
  });

  it('refuses a forged token, by the word of the API server', async () => {
    await using cluster = await clusterWith();
    const { server, pod, tokenFile } = cluster;
    const token = server.podToken(pod);
    server.tokens.rotateKey(false);
    writeFileSync(tokenFile, server.reviewerToken());
    expect(await refusalCodeOf(cluster.attest(token))).to.equal('token_rejected');
  });

  it('refuses a token of another cluster', async () => {
    await using cluster = await clusterWith();
    const { server, pod, clock } = cluster;
    const claims = podClaims(server.objects.factsOf(pod), { issuer: 'https://other.test', issuedAt: clock.now() });
    expect(await refusalCodeOf(cluster.attest(signToken(claims, server.tokens.key)))).to.equal('token_rejected');
  });

  it('refuses the token of a deleted pod, and of another pod under the same name', async () => {
    await using cluster = await clusterWith({ cacheMs: 0, refusalCacheMs: 0 });
    const { server, pod } = cluster;
    const token = server.podToken(pod);
    await cluster.attest(token);
    server.objects.deletePod('shop', 'web-1');
    expect(await refusalCodeOf(cluster.attest(token))).to.equal('token_pod_gone');
    server.objects.createPod('shop', 'web-1', 'web');
    const again = await refusalOf(cluster.attest(token));
    expect(again.code).to.equal('token_pod_gone');
    expect(again.detail).to.contain('pod UID');
  });

  it('accepts a terminating pod until its grace and a minute are over', async () => {
    await using cluster = await clusterWith({ cacheMs: 0, refusalCacheMs: 0 });
    const { server, pod, clock } = cluster;
    const token = server.podToken(pod);
    server.objects.deletePod('shop', 'web-1', { graceSeconds: 30 });
    await clock.advance(89_000);
    await cluster.attest(token);
    await clock.advance(2000);
    expect(await refusalCodeOf(cluster.attest(token))).to.equal('token_pod_gone');
  });

  it('refuses the token of a deleted service account', async () => {
    await using cluster = await clusterWith();
    const token = cluster.server.podToken(cluster.pod);
    cluster.server.objects.deleteServiceAccount('shop', 'web');
    expect(await refusalCodeOf(cluster.attest(token))).to.equal('token_pod_gone');
  });

  it('refuses claims that differ from what the API server tells', async () => {
    await using cluster = await clusterWith();
    const { server, pod, clock } = cluster;
    const claims = podClaims(server.objects.factsOf(pod), { issuer: server.issuer, issuedAt: clock.now() });
    const token = signToken(claims, server.tokens.key);
    const told = server.tokens.authenticate(token, ['citadel']) as { user: object };
    const other = {
      ...told.user,
      extra: { ...(told.user as { extra: object }).extra, 'authentication.kubernetes.io/pod-uid': ['other'] },
    };
    const body = JSON.stringify({
      kind: 'TokenReview',
      status: { authenticated: true, audiences: ['citadel'], user: other },
    });
    server.fail({ path: REVIEWS, status: 201, body });
    const refusal = await refusalOf(cluster.attest(token));
    expect(refusal.code).to.equal('token_pod_mismatch');
    expect(refusal.detail).to.equal('pod UID differ');
  });

  it('asks once for many callers with one token', async () => {
    await using cluster = await clusterWith();
    const release = cluster.server.hold();
    const token = cluster.server.podToken(cluster.pod);
    const callers = Array.from({ length: 20 }, () => cluster.attest(token));
    await until('the question has arrived', () => cluster.server.count(REVIEWS) > 0 || undefined);
    release();
    expect(new Set((await Promise.all(callers)).map(({ podUid }) => podUid)).size).to.equal(1);
    expect(cluster.server.count(REVIEWS)).to.equal(1);
  });

  it('remembers a yes for ten seconds at most, whatever is configured', async () => {
    await using cluster = await clusterWith({ cacheMs: 60_000 });
    const { server, clock } = cluster;
    const token = server.podToken(cluster.pod);
    await cluster.attest(token);
    server.objects.deletePod('shop', 'web-1');
    await clock.advance(9999);
    await cluster.attest(token);
    await clock.advance(1);
    expect(await refusalCodeOf(cluster.attest(token))).to.equal('token_pod_gone');
  });

  it('never remembers a yes beyond the expiry of the token', async () => {
    await using cluster = await clusterWith({
      policy: { audience: 'citadel', maxLifetimeSeconds: 86_400, leewaySeconds: 0 },
    });
    const token = cluster.server.podToken(cluster.pod, { seconds: 5 });
    await cluster.attest(token);
    await cluster.clock.advance(4999);
    await cluster.attest(token);
    await cluster.clock.advance(1);
    expect(await refusalCodeOf(cluster.attest(token))).to.equal('token_expired');
    expect(cluster.server.count(REVIEWS)).to.equal(1);
  });

  it('remembers a no for two seconds', async () => {
    await using cluster = await clusterWith();
    const token = cluster.server.podToken(cluster.pod);
    cluster.server.objects.deletePod('shop', 'web-1');
    for (let at = 0; at < 5; at++) expect(await refusalCodeOf(cluster.attest(token))).to.equal('token_pod_gone');
    expect(cluster.server.count(REVIEWS)).to.equal(1);
    await cluster.clock.advance(2000);
    await refusalCodeOf(cluster.attest(token));
    expect(cluster.server.count(REVIEWS)).to.equal(2);
  });

  it('reads its own token again for each question, as kubelet replaces it', async () => {
    await using cluster = await clusterWith({ cacheMs: 0 });
    const { server, pod, tokenFile } = cluster;
    writeFileSync(tokenFile, 'not-a-token');
    expect(await refusalCodeOf(cluster.attest(server.podToken(pod)))).to.equal('token_review_unavailable');
    writeFileSync(tokenFile, `${server.reviewerToken()}\n`);
    await cluster.attest(server.podToken(pod));
  });
});

describe('when the API server cannot be asked', () => {
  it('says so within its time, and does not remember it', async () => {
    await using cluster = await clusterWith({ timeoutMs: 5000 });
    const { server, clock } = cluster;
    const token = server.podToken(cluster.pod);
    server.fail({ instead: 'hang', times: 1 });
    const waiting = refusalOf(cluster.attest(token));
    await until('the question has arrived', () => server.count(REVIEWS) > 0 || undefined);
    await clock.advance(5000);
    expect((await waiting).code).to.equal('token_review_unavailable');
    await cluster.attest(token);
    expect(cluster.outcomes).to.deep.equal(['unavailable', 'accepted']);
  });

  it('lets a caller leave earlier, and keeps the answer for the others', async () => {
    await using cluster = await clusterWith();
    const release = cluster.server.hold();
    const token = cluster.server.podToken(cluster.pod);
    const leaver = new AbortController();
    const left = cluster.attest(token, leaver.signal).catch((reason: unknown) => reason);
    const stayed = cluster.attest(token);
    leaver.abort('left');
    expect(await left).to.equal('left');
    release();
    expect((await stayed).podName).to.equal('web-1');
  });

  it('leaves it alone for as long as a 429 asks, and refuses meanwhile without a call', async () => {
    await using cluster = await clusterWith();
    const { server, pod, clock } = cluster;
    server.fail({ status: 429, headers: { 'retry-after': '7' }, times: 1 });
    const first = await refusalOf(cluster.attest(server.podToken(pod)));
    expect([first.code, first.retryAfterSeconds]).to.deep.equal(['token_review_unavailable', 7]);
    await clock.advance(6000);
    const second = await refusalOf(cluster.attest(server.podToken(pod)));
    expect([second.code, second.retryAfterSeconds]).to.deep.equal(['token_review_unavailable', 1]);
    expect(server.count(REVIEWS)).to.equal(1);
    await clock.advance(1000);
    await cluster.attest(server.podToken(pod));
    expect(cluster.outcomes).to.deep.equal(['unavailable', 'not_asked', 'accepted']);
  });

  it('stops asking after five failures, tries one, and goes on when that is answered', async () => {
    await using cluster = await clusterWith();
    const { server, pod, clock } = cluster;
    server.fail({ status: 500 });
    for (let at = 0; at < 5; at++) await refusalCodeOf(cluster.attest(server.podToken(pod)));
    expect(await refusalCodeOf(cluster.attest(server.podToken(pod)))).to.equal('token_review_unavailable');
    expect(server.count(REVIEWS)).to.equal(5);
    server.heal();
    const release = server.hold();
    await clock.advance(500);
    const tries = Array.from({ length: 3 }, () =>
      cluster.attest(server.podToken(pod)).catch((error: { code: string }) => error.code),
    );
    await until('one try has arrived', () => server.count(REVIEWS) > 5 || undefined);
    release();
    const results = await Promise.all(tries);
    expect(results.filter((one) => one === 'token_review_unavailable')).to.have.length(2);
    expect(server.count(REVIEWS)).to.equal(6);
    await cluster.attest(server.podToken(pod));
  });

  it('says that RBAC is missing, for our log only', async () => {
    await using cluster = await clusterWith();
    cluster.server.forbidReviews();
    const refusal = await refusalOf(cluster.attest(cluster.server.podToken(cluster.pod)));
    expect(refusal.code).to.equal('token_review_unavailable');
    expect(refusal.detail).to.contain('may not create tokenreviews (403)');
  });

  it('asks again at once when the kept connection had died under the question', async () => {
    await using cluster = await clusterWith();
    cluster.server.fail({ instead: 'reset', times: 1 });
    await cluster.attest(cluster.server.podToken(cluster.pod));
    expect(cluster.server.count(REVIEWS)).to.equal(2);
  });

  it('refuses when it is not there at all', async () => {
    await using cluster = await clusterWith();
    const token = cluster.server.podToken(cluster.pod);
    await cluster.server.stop();
    const refusal = await refusalOf(cluster.attest(token));
    expect(refusal.code).to.equal('token_review_unavailable');
    await cluster.server.start();
  });

  it('refuses an answer that is too large or no TokenReview', async () => {
    await using cluster = await clusterWith();
    const { server, pod } = cluster;
    server.fail({ status: 201, body: 'x'.repeat(2 << 20), times: 1 });
    expect(await refusalCodeOf(cluster.attest(server.podToken(pod)))).to.equal('token_review_unavailable');
    server.fail({ status: 201, body: '<html>', times: 1 });
    expect(await refusalCodeOf(cluster.attest(server.podToken(pod)))).to.equal('token_review_unavailable');
  });

  it('asks with no more than its limit at once, queues no more than its limit, and turns the rest away', async () => {
    await using cluster = await clusterWith({ concurrency: 2, mostWaiting: 3 });
    const { server, pod } = cluster;
    const release = server.hold();
    const callers = Array.from({ length: 8 }, () =>
      cluster.attest(server.podToken(pod)).then(
        () => 'accepted',
        (error: { code: string }) => error.code,
      ),
    );
    await until('two questions have arrived', () => server.count(REVIEWS) === 2 || undefined);
    expect(await Promise.all(callers.slice(5))).to.deep.equal(Array(3).fill('token_review_unavailable'));
    expect(server.count(REVIEWS)).to.equal(2);
    release();
    expect(await Promise.all(callers.slice(0, 5))).to.deep.equal(Array(5).fill('accepted'));
  });
});

describe('a token whose pod the API server does not know', () => {
  it('is refused although its claims look bound', async () => {
    await using cluster = await clusterWith();
    const { server, pod, clock } = cluster;
    const claims = podClaims(server.objects.factsOf(pod), { issuer: server.issuer, issuedAt: clock.now() });
    const invented = withKubernetes(claims, { pod: { name: 'ghost', uid: 'nobody' } });
    expect(await refusalCodeOf(cluster.attest(signToken(invented, server.tokens.key)))).to.equal('token_pod_gone');
  });
});
