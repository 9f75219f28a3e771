/**
 * Promise: each way to prove tokens does what it says. Offline needs no call and cannot know that a pod is gone;
 * asking knows, and is not bothered with tokens that are wrong on their face; both together refuse what either would.
 * Real parts: one citadel as a process per mode, all before the same TLS API server.
 */
import { expect } from 'chai';
import { systemClock } from '../../shared/clock/clock.ts';
import { type CitadelClient, codeOf } from '../support/citadel-client.ts';
import { CitadelProcess, freshCsr } from '../support/citadel-process.ts';
import { FakeApiServer } from '../support/fake-api-server.ts';
import { type ReviewedMode, reviewedBy } from '../support/token-sources.ts';
import { type Claims, jsonPart, makeSigningKey, podClaims, signToken } from '../support/tokens.ts';

const MODES: readonly ReviewedMode[] = ['oidc', 'token-review', 'both'];
const REVIEWS = /tokenreviews$/;

describe('the modes of attestation', () => {
  let server: FakeApiServer;
  const citadels = new Map<ReviewedMode, CitadelProcess>();
  const clients = new Map<ReviewedMode, CitadelClient>();
  before(async () => {
    server = await new FakeApiServer({ clock: systemClock }).start();
    await Promise.all(
      MODES.map(async (mode) => {
        // No memory of a yes: a deleted pod is noticed at the next request.
        const citadel = await CitadelProcess.start({ tokens: reviewedBy(server, mode, { cacheSeconds: 0 }) });
        citadels.set(mode, citadel);
        clients.set(mode, await citadel.client());
      }),
    );
  });
  after(async () => {
    await Promise.all([...citadels.values()].map((citadel) => citadel[Symbol.asyncDispose]()));
    await server?.stop();
  });

  let pods = 0;
  const freshPod = () => server.objects.createPod('shop', `web-${++pods}`, 'web');
  const goodClaims = (): Claims =>
    podClaims(server.objects.factsOf(freshPod()), { issuer: server.issuer, issuedAt: systemClock.now() });
  const answers = async (token: string): Promise<Record<string, string>> => {
    const asked = MODES.map(async (mode) => {
      const answer = await clients.get(mode)!.certificate(token, freshCsr());
      return [mode, answer.status === 201 ? 'issued' : codeOf(answer)];
    });
    return Object.fromEntries(await Promise.all(asked)) as Record<string, string>;
  };
  const all = (code: string): Record<string, string> => ({ oidc: code, 'token-review': code, both: code });

  it('all take the token of a living pod, and say in the log how it was proved', async () => {
    expect(await answers(server.podToken(freshPod()))).to.deep.equal(all('issued'));
    for (const mode of MODES) {
      const { fields } = await citadels
        .get(mode)!
        .running.event('issued', ({ event }) => event === 'certificate_issued');
      expect(fields).to.include({ attestedBy: mode });
    }
  });

  it('differ about a pod that was deleted: only who asks can know', async () => {
    const pod = freshPod();
    const token = server.podToken(pod);
    expect(await answers(token)).to.deep.equal(all('issued'));
    server.objects.deletePod('shop', pod.name);
    expect(await answers(token)).to.deep.equal({
      oidc: 'issued',
      'token-review': 'token_pod_gone',
      both: 'token_pod_gone',
    });
  });

  it('all refuse a forged signature; the API server does not tell more than that it refuses', async () => {
    const forged = signToken(goodClaims(), makeSigningKey('RS256', server.tokens.key.keyId));
    const offline = 'token_signature_invalid';
    expect(await answers(forged)).to.deep.equal({ oidc: offline, 'token-review': 'token_rejected', both: offline });
  });

  it('all refuse a token of another cluster', async () => {
    const foreign = signToken({ ...goodClaims(), iss: 'https://kubernetes.example' }, makeSigningKey('RS256'));
    const offline = 'token_issuer_wrong';
    expect(await answers(foreign)).to.deep.equal({ oidc: offline, 'token-review': 'token_rejected', both: offline });
  });

  it('all refuse alg none, an old token and one for somebody else, by themselves: the API server is not asked', async () => {
    const claims = goodClaims();
    const asked = server.count(REVIEWS);
    const none = `${jsonPart({ alg: 'none' })}.${jsonPart(claims)}.`;
    const second = Math.floor(systemClock.now() / 1000);
    const old = signToken({ ...claims, iat: second - 7200, nbf: second - 7200, exp: second - 3600 }, server.tokens.key);
    const elsewhere = server.podToken(freshPod(), { audiences: ['vault'] });
    expect(await answers(none)).to.deep.equal(all('token_algorithm_forbidden'));
    expect(await answers(old)).to.deep.equal(all('token_expired'));
    expect(await answers(elsewhere)).to.deep.equal(all('token_audience_wrong'));
    expect(server.count(REVIEWS)).to.equal(asked);
  });

  it('offline never asks', async () => {
    const asked = server.count(REVIEWS);
    const answer = await clients.get('oidc')!.certificate(server.podToken(freshPod()), freshCsr());
    expect(answer.status, answer.text).to.equal(201);
    expect(server.count(REVIEWS)).to.equal(asked);
  });

  it('asking tells the API server for whom the token must be', async () => {
    await clients.get('token-review')!.certificate(server.podToken(freshPod()), freshCsr());
    expect(server.lastReview?.spec?.audiences).to.deep.equal(['citadel']);
  });
});
