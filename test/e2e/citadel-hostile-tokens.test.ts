/**
 * Promise: of all tokens that we know how to make, citadel takes the good ones only. Every other meets its own code,
 * is counted and logged once, leaves nothing in the journal and nothing of itself in the log, and the next honest
 * caller is served.
 * Real parts: citadel as a process, asking a TLS API server (a fake that judges real signatures as kube-apiserver does).
 */
import { expect } from 'chai';
import { systemClock } from '../../shared/clock/clock.ts';
import type { RefusalCode } from '../../shared/errors/refusal.ts';
import { type ApiAnswer, type ApiCall, type CitadelClient, codeOf } from '../support/citadel-client.ts';
import { CitadelProcess, freshCsr } from '../support/citadel-process.ts';
import { FakeApiServer } from '../support/fake-api-server.ts';
import { tlsCaller } from '../support/tls-caller.ts';
import { reviewedBy } from '../support/token-sources.ts';
import { type Claims, makeSigningKey, podClaims, podFacts, type SigningKey, signToken } from '../support/tokens.ts';
import { forgedTokens, type HostileToken, malformedTokens, misclaimedTokens } from '../support/tokens-hostile.ts';

const REHEARSAL = {
  key: makeSigningKey('ES256'),
  claims: podClaims(podFacts(), { issuer: 'https://rehearsal', issuedAt: systemClock.now() }),
};

describe('citadel, offered hostile tokens', () => {
  let server: FakeApiServer;
  let citadel: CitadelProcess;
  let client: CitadelClient;
  let good: string;
  before(async () => {
    server = await new FakeApiServer({ clock: systemClock, algorithm: 'ES256' }).start();
    citadel = await CitadelProcess.start({ tokens: reviewedBy(server, 'both') });
    client = await citadel.client();
    good = server.podToken(server.objects.createPod('shop', 'honest-1', 'honest'));
  });
  after(async () => {
    await citadel?.[Symbol.asyncDispose]();
    await server?.stop();
  });

  let pods = 0;
  const freshPod = () => server.objects.createPod('shop', `web-${++pods}`, 'web');
  /** Good ones, of a pod that lives. */
  const goodClaims = (): Claims =>
    podClaims(server.objects.factsOf(freshPod()), { issuer: server.issuer, issuedAt: systemClock.now() });
  const call = (headers: Readonly<Record<string, string>>): ApiCall => ({
    method: 'POST',
    path: '/v1/certificates',
    headers,
    body: { csr: freshCsr() },
  });
  const ask = (token: string): Promise<ApiAnswer> => client.call(call({ authorization: `Bearer ${token}` }));

  /** The whole promise, for one request. @param secret what must not be found in the log */
  const isRefused = async (offer: () => Promise<ApiAnswer>, code: RefusalCode, secret = ''): Promise<void> => {
    const before = await citadel.refusals(code);
    const answer = await offer();
    expect([answer.status < 500 || code.endsWith('_unavailable'), codeOf(answer)]).to.deep.equal([true, code]);
    expect(answer.headers['content-type']).to.equal('application/problem+json');
    if (answer.status === 401) expect(answer.headers['www-authenticate']).to.equal('Bearer');
    const requestId = answer.headers['x-request-id'];
    expect((await citadel.logged(requestId)).fields).to.include({ code });
    expect(await citadel.refusals(code)).to.equal(before + 1);

    const honest = await ask(good);
    expect(honest.status, honest.text).to.equal(201);
    // What was written about the refusal was written before this line.
    expect((await citadel.logged(honest.headers['x-request-id'])).event).to.equal('certificate_issued');
    expect(citadel.recorded(requestId)).to.deep.equal([]);
    for (const piece of secretPieces(secret)) expect(citadel.output).not.to.include(piece);
  };

  it('takes a good token, and records whose it was', async () => {
    const pod = freshPod();
    const answer = await ask(server.podToken(pod));
    expect(answer.json).to.include({ spiffeId: 'spiffe://cluster.local/ns/shop/sa/web' });
    const [row] = citadel.recorded(answer.headers['x-request-id']);
    expect(row).to.include({ pod_uid: pod.uid, pod_name: pod.name, node_name: 'node-1', decision: 'issued' });
  });

  const MAKERS: readonly ((claims: Claims, key: SigningKey) => HostileToken[])[] = [
    malformedTokens,
    forgedTokens,
    (claims, key) => misclaimedTokens(claims, key, systemClock.now()),
  ];
  for (const make of MAKERS) {
    // Names and codes come from a rehearsal; the token itself is made when the server is there to sign it.
    for (const [at, { fault, token: rehearsed, code }] of make(REHEARSAL.claims, REHEARSAL.key).entries()) {
      if (!fitsIntoHeader(rehearsed)) continue;
      it(`meets ${fault} with ${code}`, async () => {
        const { token } = make(goodClaims(), server.tokens.key)[at]!;
        await isRefused(() => ask(token), code, token);
      });
    }
  }

  it('refuses a token of 1 MiB before it is read', async () => {
    const token = 'a'.repeat(1 << 20);
    await isRefused(() => ask(token), 'request_headers_too_large', token);
  });

  it('refuses a line break in a token, which no client library would send', async () => {
    const token = server.podToken(freshPod());
    const answer = await overRawTls(citadel, `authorization: Bearer ${token}\n\r\n`);
    expect(answer)
      .to.match(/^HTTP\/1\.1 400 /)
      .and.include('"code":"request_malformed"');
    expect(citadel.output).not.to.include(token.split('.')[2]);
  });

  it('refuses a request without a token', async () => {
    await isRefused(() => client.call(call({})), 'token_missing');
  });

  it('refuses name and password', async () => {
    const secret = Buffer.from('admin:correct-horse-battery').toString('base64');
    await isRefused(() => client.call(call({ authorization: `Basic ${secret}` })), 'token_missing', secret);
  });

  it('refuses a good token that comes under another scheme', async () => {
    const token = server.podToken(freshPod());
    await isRefused(() => client.call(call({ authorization: `Negotiate ${token}` })), 'token_missing', token);
  });

  it('refuses two Authorization fields, of which each alone would do', async () => {
    const token = server.podToken(freshPod());
    const field = `authorization: Bearer ${token}\r\n`;
    const answer = await overRawTls(citadel, `${field}${field}`);
    expect(answer)
      .to.match(/^HTTP\/1\.1 400 /)
      .and.include('"code":"request_malformed"');
  });

  it('refuses a token of another issuer that is good there', async () => {
    const elsewhere = makeSigningKey('ES256');
    const token = signToken({ ...goodClaims(), iss: 'https://kubernetes.example' }, elsewhere);
    await isRefused(() => ask(token), 'token_issuer_wrong', token);
  });

  it('refuses another issuer in a token that is signed by a known key', async () => {
    const token = signToken({ ...goodClaims(), iss: 'https://kubernetes.example' }, server.tokens.key);
    await isRefused(() => ask(token), 'token_issuer_wrong', token);
  });

  it('refuses the token of a pod that was deleted', async () => {
    const pod = freshPod();
    const token = server.podToken(pod);
    server.objects.deletePod('shop', pod.name);
    await isRefused(() => ask(token), 'token_pod_gone', token);
  });

  it('refuses the token of a pod whose name has another UID now', async () => {
    const pod = freshPod();
    const token = server.podToken(pod);
    server.objects.createPod('shop', pod.name, 'web');
    await isRefused(() => ask(token), 'token_pod_gone', token);
  });

  it('refuses the token of a service account that was deleted', async () => {
    const pod = server.objects.createPod('shop', `passing-${++pods}`, 'passing');
    const token = server.podToken(pod);
    server.objects.deleteServiceAccount('shop', 'passing');
    await isRefused(() => ask(token), 'token_pod_gone', token);
  });

  it('refuses a token whose pod is another one in the eyes of the API server', async () => {
    const token = server.podToken(freshPod());
    const known = server.tokens.authenticate(token, ['citadel']);
    const user = 'user' in known ? known.user : undefined;
    const extra = { ...user?.extra, 'authentication.kubernetes.io/pod-uid': ['11111111-2222-4333-8444-555555555555'] };
    const status = { authenticated: true, audiences: ['citadel'], user: { ...user, extra } };
    const body = JSON.stringify({ kind: 'TokenReview', apiVersion: 'authentication.k8s.io/v1', status });
    server.fail({ path: /tokenreviews/, times: 1, status: 201, body });
    await isRefused(() => ask(token), 'token_pod_mismatch', token);
  });
});

/** Other tokens have tests of their own: they do not get as far as the code that judges tokens. */
function fitsIntoHeader(token: string): boolean {
  return !token.includes('\n') && token.length < 12_000;
}

/** The parts of a token that nobody would write by chance. */
function secretPieces(secret: string): string[] {
  return [secret, ...secret.split('.')].filter((piece) => piece.length >= 16);
}

async function overRawTls({ port }: CitadelProcess, fields: string): Promise<string> {
  await using caller = await tlsCaller(port);
  const body = JSON.stringify({ csr: freshCsr() });
  const head = 'POST /v1/certificates HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n';
  caller.send(`${head}${fields}content-length: ${body.length}\r\n\r\n${body}`);
  return await caller.until(/"code":"\w+"/);
}
