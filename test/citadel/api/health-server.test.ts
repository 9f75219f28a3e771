import { expect } from 'chai';
import { HealthServer } from '../../../citadel/api/health-server.ts';
import { Readiness } from '../../../citadel/api/readiness.ts';
import { createCitadelMetrics } from '../../../citadel/telemetry/citadel-metrics.ts';
import { silentLog } from '../../../shared/log/log.ts';
import { Exposition } from '../../../shared/metrics/exposition.ts';

describe('the health port', () => {
  let journalProblem: string | undefined;
  let readiness: Readiness;
  let health: HealthServer;
  let url: string;
  const metrics = createCitadelMetrics('1.2.3');
  beforeEach(async () => {
    journalProblem = undefined;
    readiness = new Readiness({ journal: () => journalProblem, attestation: () => undefined });
    health = new HealthServer({
      readiness,
      exposition: new Exposition(metrics.all, { beforeScrape: () => metrics.watchers.set([], 7) }),
      log: silentLog,
    });
    url = `http://127.0.0.1:${(await health.listen('127.0.0.1:0')).port}`;
  });
  afterEach(() => health.close());

  it('is ready when nothing is missing, and else lists what is and why', async () => {
    expect(await (await fetch(`${url}/readyz`)).json()).to.deep.equal({ ready: true, missing: [] });
    journalProblem = 'the disk is full';
    const answer = await fetch(`${url}/readyz`);
    expect(answer.status).to.equal(503);
    expect(await answer.json()).to.deep.equal({
      ready: false,
      missing: [{ what: 'journal', why: 'the disk is full' }],
    });
    journalProblem = undefined;
    expect((await fetch(`${url}/readyz`)).status).to.equal(200);
  });

  it('is not ready any more once it drains', async () => {
    readiness.drain();
    expect(await (await fetch(`${url}/readyz`)).json()).to.have.nested.property('missing[0].what', 'draining');
  });

  it('is healthy as long as the process answers, whatever is missing', async () => {
    journalProblem = 'the disk is full';
    readiness.drain();
    for (const path of ['/healthz', '/livez']) expect((await fetch(url + path)).status).to.equal(200);
  });

  it('renders the metrics, gauges as they are at that moment', async () => {
    const answer = await fetch(`${url}/metrics`);
    expect(answer.headers.get('content-type')).to.match(/^text\/plain; version=/);
    const text = await answer.text();
    expect(text).to.match(/^citadel_watchers 7$/m);
    expect(text).to.match(/^citadel_build_info\{version="1\.2\.3",node="[\d.]+"\} 1$/m);
  });

  it('answers other paths and methods with what is there', async () => {
    expect((await fetch(`${url}/`)).status).to.equal(404);
    const wrong = await fetch(`${url}/metrics`, { method: 'POST', body: 'x'.repeat(100_000) });
    expect([wrong.status, wrong.headers.get('allow')]).to.deep.equal([405, 'GET, HEAD']);
    const head = await fetch(`${url}/readyz?verbose`, { method: 'HEAD' });
    expect([head.status, await head.text()]).to.deep.equal([200, '']);
  });
});
