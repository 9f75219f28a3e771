/**
 * Promise: without room for its journal citadel issues nothing, says so with a code, in readiness and in its metrics,
 * and goes on by itself once there is room; what it handed out is exactly what the journal holds.
 * Real parts: citadel as a process on a disk that is really full, and one whose files may not grow.
 */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { type ApiAnswer, type CitadelClient, codeOf } from '../support/citadel-client.ts';
import { CitadelProcess, freshCsr, integrityOf, journalRows } from '../support/citadel-process.ts';
import { type SmallDisk, smallDisks } from '../support/small-disk.ts';
import { TestIssuer } from '../support/token-sources.ts';
import { until } from '../support/until.ts';

/** What was seen of one citadel: with room, without, and with room again. */
interface Story {
  readonly issued: readonly string[];
  readonly first: ApiAnswer;
  readonly meanwhile: readonly ApiAnswer[];
  readonly readiness: { readonly status: number; readonly missing: readonly string[] };
  readonly healthy: number;
  readonly refusals: number;
  readonly alive: number;
  readonly after: ApiAnswer;
  readonly recorded: readonly string[];
  readonly integrity: readonly unknown[];
}

for (const disk of smallDisks()) {
  describe(`citadel before ${disk.name}`, () => {
    let issuer: TestIssuer;
    let citadel: CitadelProcess;
    let client: CitadelClient;
    let story: Story;
    before(async function () {
      this.timeout(60_000);
      issuer = await TestIssuer.start();
      citadel = await CitadelProcess.start({
        tokens: issuer,
        under: (directory) => disk.under(join(directory, 'journal')),
      });
      client = await citadel.client();
      story = await tell(citadel, client, issuer.token(), disk);
    });
    after(async () => {
      await citadel?.[Symbol.asyncDispose]();
      issuer?.close();
    });

    it('refuses with a code and a time to come back', () => {
      expect([story.first.status, codeOf(story.first)]).to.deep.equal([503, 'journal_unavailable']);
      expect(Number(story.first.headers['retry-after'])).to.be.greaterThan(0);
    });

    it('refuses everybody, not only the one who met the end of the disk', () => {
      expect(story.meanwhile.map(codeOf)).to.deep.equal(story.meanwhile.map(() => 'journal_unavailable'));
    });

    it('is not ready, and names the journal', () => {
      expect(story.readiness.status).to.equal(503);
      expect(story.readiness.missing.join()).to.match(/^journal: /);
    });

    it('shows in its metrics, by health and by code', () => {
      expect([story.healthy, story.refusals]).to.deep.equal([0, 1 + story.meanwhile.length]);
    });

    it('stays alive and answers what needs no journal', () => {
      expect(story.alive).to.equal(200);
    });

    it('issues again by itself once there is room', async () => {
      expect(story.after.status, story.after.text).to.equal(201);
      expect(await citadel.readiness()).to.include({ status: 200 });
    });

    it('has recorded exactly what it handed out', () => {
      expect(story.issued.length).to.be.greaterThan(1);
      expect([...story.recorded].sort()).to.deep.equal([...story.issued].sort());
      expect(story.integrity).to.deep.equal([{ integrity_check: 'ok' }]);
    });
  });
}

async function tell(citadel: CitadelProcess, client: CitadelClient, token: string, disk: SmallDisk): Promise<Story> {
  const folder = dirname(citadel.journalFile);
  const { pid } = citadel.running;
  const issued: string[] = [];
  const ask = async (): Promise<ApiAnswer> => {
    const answer = await client.certificate(token, freshCsr());
    if (answer.status === 201) issued.push((answer.json!['receipt'] as { serial: string }).serial);
    return answer;
  };
  await ask();
  await disk.fill(pid, folder);
  const first = await until('the end of the disk', async () => {
    const answer = await ask();
    return answer.status === 201 ? undefined : answer;
  });
  const meanwhile = await Promise.all(Array.from({ length: 20 }, ask));
  const seen = {
    readiness: await citadel.readiness(),
    healthy: await citadel.metric('citadel_journal_healthy'),
    refusals: await citadel.refusals('journal_unavailable'),
    alive: (await client.call({ path: '/v1/bundle' })).status,
  };
  await disk.makeRoom(pid, folder);
  await citadel.ready();
  const after = await ask();
  const copy = join(citadel.directory, 'copy');
  await mkdir(copy);
  const file = await disk.takeOut(pid, citadel.journalFile, copy);
  const recorded = journalRows(file).map((row) => String(row['serial']));
  return { issued, first, meanwhile, ...seen, after, recorded, integrity: integrityOf(file) };
}
