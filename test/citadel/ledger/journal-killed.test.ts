import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { openJournal } from '../../../citadel/ledger/journal.ts';
import { systemClock } from '../../../shared/clock/clock.ts';
import { silentLog } from '../../../shared/log/log.ts';

const STORM = join(import.meta.dirname, '../../support/journal-storm-main.ts');

/** Lets a process append until it has acknowledged `most` entries, kills it, and returns all that it acknowledged. */
async function killedInStorm(file: string, prefix: string, most: number): Promise<string[]> {
  const child = spawn(process.execPath, [STORM, file, prefix], { stdio: ['ignore', 'pipe', 'inherit'] });
  let heard = '';
  child.stdout.on('data', (part) => {
    heard += String(part);
    if (heard.split('\n').length > most) child.kill('SIGKILL');
  });
  await once(child, 'close');
  // The last line may be cut by the kill; a line was acknowledged when it is whole.
  return heard.split('\n').slice(0, -1);
}

describe('a journal whose process is killed in a storm of entries', () => {
  it('holds every entry that was acknowledged, each time, and goes on', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'journal-killed-'));
    const file = join(folder, 'journal.db');
    try {
      const acknowledged: string[] = [];
      for (const [round, most] of [1, 40, 500, 2000].entries()) {
        acknowledged.push(...(await killedInStorm(file, `round${round}`, most)));
        const journal = openJournal({ file, log: silentLog, clock: systemClock });
        const lost = acknowledged.filter((serial) => journal.find(serial) === undefined);
        expect(lost).to.deep.equal([]);
        expect(journal.count()).to.be.at.least(acknowledged.length);
        journal.close();
      }
      expect(acknowledged.length).to.be.greaterThan(2500);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
