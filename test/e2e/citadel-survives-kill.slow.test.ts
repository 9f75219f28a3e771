/**
 * Promise: whenever citadel dies, and however suddenly, its journal holds every certificate that anybody received,
 * and it starts again by itself with the same authority and an intact journal.
 * Real parts: citadel as a process, killed by SIGKILL in the middle of a storm of requests, ten times.
 */
import { X509Certificate } from 'node:crypto';
import { expect } from 'chai';
import type { ApiAnswer } from '../support/citadel-client.ts';
import { CitadelProcess, freshCsr, integrityOf, type JournalRow } from '../support/citadel-process.ts';
import { TestIssuer } from '../support/token-sources.ts';
import { until } from '../support/until.ts';

const LIVES = 10;
const IN_FLIGHT = 32;
/** Killed after so many answers of a life and a few more, so that it never dies at the same point twice. */
const ANSWERS_PER_LIFE = 300;

interface Received {
  readonly serial: string;
  readonly fingerprint: string;
  readonly entry: number;
}

describe('citadel, killed in the middle of issuing', () => {
  let issuer: TestIssuer;
  let citadel: CitadelProcess;
  const received: Received[] = [];
  const roots = new Set<string>();
  /** Per life, right after the restart: what was missing in the file, and what SQLite thought of it. */
  const missing: string[][] = [];
  const integrity: JournalRow[][] = [];
  let rows: JournalRow[] = [];

  before(async () => {
    issuer = await TestIssuer.start();
    citadel = await CitadelProcess.start({ tokens: issuer });
    for (let life = 0; life < LIVES; life++) {
      await dieInStorm(life);
      await citadel.start();
      await citadel.ready();
      rows = citadel.journal();
      const recorded = new Set(rows.map((row) => `${row['serial']} ${row['certificate_hash']} ${row['entry']}`));
      missing.push(received.map(lineOf).filter((line) => !recorded.has(line)));
      integrity.push(integrityOf(citadel.journalFile));
    }
  });
  after(async () => {
    await citadel?.[Symbol.asyncDispose]();
    issuer?.close();
  });

  /** Requests from all sides until enough was answered, then SIGKILL with the rest in flight. */
  const dieInStorm = async (life: number): Promise<void> => {
    const client = await citadel.client(IN_FLIGHT);
    const tokens = Array.from({ length: 50 }, () => issuer.token());
    const csrs = Array.from({ length: 16 }, freshCsr);
    const enough = received.length + ANSWERS_PER_LIFE + 7 * life;
    let dead = false;
    let asked = 0;
    const caller = async (): Promise<void> => {
      while (!dead) {
        const at = asked++;
        // Whoever is in the middle of a request when citadel dies gets no answer: that is what is wanted.
        const answer = await client
          .certificate(tokens[at % tokens.length]!, csrs[at % csrs.length]!)
          .catch(() => undefined); // told by `dead`
        if (answer?.status === 201) keep(answer);
      }
    };
    const storm = Promise.all(Array.from({ length: IN_FLIGHT }, caller));
    await until('enough is answered', () => received.length >= enough, 60_000);
    const exit = await citadel.kill();
    dead = true;
    await storm;
    client.close();
    expect(exit.signal).to.equal('SIGKILL');
  };

  const keep = (answer: ApiAnswer): void => {
    const { certificateChain, trustBundle, receipt } = answer.json as unknown as {
      certificateChain: string[];
      trustBundle: string[];
      receipt: { serial: string; entry: number };
    };
    const { fingerprint256, serialNumber } = new X509Certificate(certificateChain[0]!);
    expect(serialNumber.toLowerCase()).to.equal(receipt.serial);
    received.push({ ...receipt, fingerprint: fingerprint256.replaceAll(':', '').toLowerCase() });
    roots.add(trustBundle.join(''));
  };

  it('has recorded every certificate that was received, at every restart, under its entry number', () => {
    expect(received.length).to.be.at.least(LIVES * ANSWERS_PER_LIFE);
    expect(missing).to.deep.equal(Array.from({ length: LIVES }, () => []));
  });

  it('never gave a serial or an entry number twice', () => {
    expect(new Set(received.map(({ serial }) => serial)).size).to.equal(received.length);
    expect(new Set(rows.map((row) => row['serial'])).size).to.equal(rows.length);
    expect(new Set(received.map(({ entry }) => entry)).size).to.equal(received.length);
  });

  it('has recorded little more than was received: at most what was in flight when it died', () => {
    expect(rows.length).to.be.within(received.length, received.length + LIVES * IN_FLIGHT);
  });

  it('finds an intact journal at every restart', () => {
    expect(integrity).to.deep.equal(Array.from({ length: LIVES }, () => [{ integrity_check: 'ok' }]));
  });

  it('keeps the one authority that it was made with', () => {
    expect(roots.size).to.equal(1);
  });

  it('says nothing of a damaged file over all its lives', () => {
    expect(citadel.output).not.to.match(/journal_malformed|authority_incomplete|crashed/);
  });
});

function lineOf({ serial, fingerprint, entry }: Received): string {
  return `${serial} ${fingerprint} ${entry}`;
}
