/**
 * Promise: when the API server is away, slow, overloaded or talks nonsense, citadel says so with one code and a time
 * to come back, certifies nobody, does not make things worse by asking more, and goes on by itself afterwards.
 * Real parts: citadel as a process, a TLS API server with switchable faults.
 */
import { expect } from 'chai';
import { systemClock } from '../../shared/clock/clock.ts';
import { type ApiAnswer, type CitadelClient, codeOf } from '../support/citadel-client.ts';
import { CitadelProcess, freshCsr } from '../support/citadel-process.ts';
import { FakeApiServer, type Fault } from '../support/fake-api-server.ts';
import { reviewedBy } from '../support/token-sources.ts';
import { until } from '../support/until.ts';

const REVIEWS = /tokenreviews$/;
const CONCURRENCY = 4;
const TIMEOUT_SECONDS = 2;

describe('citadel and its API server', () => {
  let server: FakeApiServer;
  let citadel: CitadelProcess;
  let client: CitadelClient;
  before(async () => {
    server = await new FakeApiServer({ clock: systemClock }).start();
    const limits = { timeoutSeconds: TIMEOUT_SECONDS, concurrency: CONCURRENCY };
    citadel = await CitadelProcess.start({ tokens: reviewedBy(server, 'token-review', limits) });
    client = await citadel.client();
  });
  after(async () => {
    await citadel?.[Symbol.asyncDispose]();
    await server?.stop();
  });

  let pods = 0;
  /** Of a new pod, so that nobody has an opinion about it yet. */
  const freshToken = (): string => server.podToken(server.objects.createPod('shop', `web-${++pods}`, 'web'));
  const ask = (token = freshToken()): Promise<ApiAnswer> => client.certificate(token, freshCsr());
  const isUnavailable = (answer: ApiAnswer): void => {
    expect([answer.status, codeOf(answer)]).to.deep.equal([503, 'token_review_unavailable']);
    expect(Number(answer.headers['retry-after'])).to.be.within(1, 60);
  };
  const reviews = (result: string): Promise<number> =>
    citadel.metric(`citadel_token_reviews_total{result="${result}"}`);
  /** The API server answers when `work` is over, whatever became of it. @returns the answers of those who asked */
  const whileHeld = async (work: () => Promise<Promise<ApiAnswer>[]>): Promise<ApiAnswer[]> => {
    const release = server.hold();
    return Promise.all(await work().finally(release));
  };
  const recovers = (): Promise<ApiAnswer> =>
    until('certificates are issued again', async () => {
      const answer = await ask();
      return answer.status === 201 ? answer : undefined;
    });

  const FAULTS: readonly (readonly [what: string, fault: Fault, says: RegExp])[] = [
    ['is broken inside', { status: 500 }, /answered 500/],
    ['is overloaded and does not say for how long', { status: 429 }, /answered 429/],
    ['is not there behind its load balancer', { status: 503, body: '<html>no backend</html>' }, /answered 503/],
    ['does not know citadel', { status: 401 }, /token of citadel itself/],
    ['does not let citadel ask', { status: 403 }, /ClusterRoleBinding/],
    ['sends somewhere else', { status: 302, headers: { location: 'https://elsewhere.example/' } }, /answered 302/],
    ['answers in HTML', { status: 201, body: '<html>sign in first</html>' }, /not a TokenReview/],
    ['answers another question', { status: 201, body: '{"kind":"Status","status":"Success"}' }, /not a TokenReview/],
    ['sends 2 MiB', { status: 201, body: ' '.repeat(2 << 20) }, /large|bytes/],
    ['cuts the connection', { instead: 'reset' }, /./],
  ];
  for (const [what, fault, says] of FAULTS) {
    it(`refuses with one code when the API server ${what}, says why in the log, and recovers`, async () => {
      const before = await reviews('unavailable');
      server.fail({ ...fault, path: REVIEWS });
      const answer = await ask().finally(() => server.heal());
      isUnavailable(answer);
      const { fields } = await citadel.logged(answer.headers['x-request-id']);
      expect(fields).to.include({ code: 'token_review_unavailable' });
      expect(fields['detail']).to.match(says);
      expect(await reviews('unavailable')).to.equal(before + 1);
      expect(citadel.recorded(answer.headers['x-request-id'])).to.deep.equal([]);
      await recovers();
    });
  }

  it('waits for a slow API server no longer than configured, and recovers', async () => {
    server.fail({ path: REVIEWS, instead: 'hang' });
    const asked = performance.now();
    const answer = await ask().finally(() => server.heal());
    isUnavailable(answer);
    expect(performance.now() - asked).to.be.within(TIMEOUT_SECONDS * 900, TIMEOUT_SECONDS * 1000 + 2000);
    await recovers();
  });

  it('outlives a restart of the API server: a code while it is away, certificates after it', async () => {
    const { port } = new URL(server.url);
    const token = freshToken();
    await server.stop();
    isUnavailable(await ask(token));
    await server.start(Number(port));
    await recovers();
    expect((await ask(token)).status).to.equal(201);
  });

  it('stays away as long as the API server asks for, and then comes back by itself', async () => {
    server.fail({ path: REVIEWS, times: 1, status: 429, headers: { 'retry-after': '1' } });
    const told = await ask();
    isUnavailable(told);
    expect(told.headers['retry-after']).to.equal('1');
    const [asked, notAsked] = [server.count(REVIEWS), await reviews('not_asked')];
    const meanwhile = await Promise.all(Array.from({ length: 10 }, () => ask()));
    for (const answer of meanwhile) isUnavailable(answer);
    expect(server.count(REVIEWS)).to.equal(asked);
    expect(await reviews('not_asked')).to.equal(notAsked + 10);
    await recovers();
  });

  it('asks a failing API server a few times, not once for every caller', async () => {
    server.fail({ path: REVIEWS, status: 500 });
    const before = server.count(REVIEWS);
    for (let callers = 0; callers < 40; callers++) isUnavailable(await ask());
    expect(server.count(REVIEWS) - before).to.be.within(1, 10);
    server.heal();
    await recovers();
  });

  it('asks once for many callers with the same token', async () => {
    const token = freshToken();
    const [before, served] = [server.count(REVIEWS), await citadel.metric('citadel_certificates_issued_total')];
    const answers = await whileHeld(async () => {
      const asked = Array.from({ length: 20 }, () => ask(token));
      await until('the question has arrived', () => server.count(REVIEWS) > before);
      await until('all callers are waiting', async () => (await citadel.metric('citadel_requests_in_flight')) >= 20);
      return asked;
    });
    expect(answers.map(({ status }) => status)).to.deep.equal(answers.map(() => 201));
    expect(server.count(REVIEWS)).to.equal(before + 1);
    expect(await citadel.metric('citadel_certificates_issued_total')).to.equal(served + 20);
  });

  it('asks about no more tokens at once than configured, and about the others in their turn', async () => {
    const before = server.count(REVIEWS);
    const answers = await whileHeld(async () => {
      const asked = Array.from({ length: 12 }, () => ask());
      const waiting = (): Promise<number> => citadel.metric('citadel_token_reviews_waiting');
      await until('the others wait', async () => (await waiting()) === 12 - CONCURRENCY);
      await until('the first are asked about', () => server.count(REVIEWS) >= before + CONCURRENCY);
      expect(server.count(REVIEWS)).to.equal(before + CONCURRENCY);
      return asked;
    });
    expect(answers.map(({ status }) => status)).to.deep.equal(answers.map(() => 201));
    expect(server.count(REVIEWS)).to.equal(before + 12);
  });

  it('believes a yes for a few seconds, and a no about one token says nothing about another', async () => {
    const gone = server.objects.createPod('shop', `web-${++pods}`, 'web');
    const refused = server.podToken(gone);
    server.objects.deletePod('shop', gone.name);
    const token = freshToken();
    expect((await ask(token)).status).to.equal(201);
    const before = server.count(REVIEWS);
    expect((await ask(token)).status).to.equal(201);
    expect(server.count(REVIEWS)).to.equal(before);
    expect(codeOf(await ask(refused))).to.equal('token_pod_gone');
    expect((await ask()).status).to.equal(201);
  });

  it('is alive and ready during an outage: it is not citadel that is to be restarted', async () => {
    server.fail({ path: REVIEWS, status: 500 });
    isUnavailable(await ask().finally(() => server.heal()));
    expect(await citadel.readiness()).to.include({ status: 200, ready: true });
    await recovers();
  });

  describe('at its start', () => {
    const notReady = async (started: CitadelProcess, why: RegExp): Promise<void> => {
      const seen = await until('a reason', async () => {
        const { status, missing } = await started.readiness();
        return why.test(missing.join()) ? { status, missing } : undefined;
      });
      expect(seen.status).to.equal(503);
      expect(seen.missing).to.have.length(1);
    };

    it('is not ready without its permission, names the rule to add, and becomes ready when it is there', async () => {
      server.forbidReviews();
      await using started = await CitadelProcess.planned({ tokens: reviewedBy(server, 'token-review') });
      try {
        await started.start();
        await notReady(started, /^attestation: citadel may not create tokenreviews\.authentication\.k8s\.io: bind/);
      } finally {
        server.allowReviews();
      }
      await started.ready();
    });

    it('starts while the API server is away, says so, and becomes ready when it is back', async () => {
      const away = await new FakeApiServer({ clock: systemClock }).start();
      const { port } = new URL(away.url);
      await using started = await CitadelProcess.planned({ tokens: reviewedBy(away, 'token-review') });
      await away.stop();
      await started.start();
      await notReady(started, /^attestation: the API server cannot be asked \(unreachable\)/);
      await using _ = await away.start(Number(port));
      await started.ready();
      const token = away.podToken(away.objects.createPod('shop', 'web-1', 'web'));
      expect((await (await started.client()).certificate(token, freshCsr())).status).to.equal(201);
    });
  });
});
