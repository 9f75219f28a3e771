/**
 * Appends to the journal in the file that is its argument, as fast as it can and without end, and says each serial
 * once it is acknowledged. Made to be killed.
 */
import { writeSync } from 'node:fs';
import { openJournal } from '../../citadel/ledger/journal.ts';
import { systemClock } from '../../shared/clock/clock.ts';
import { silentLog } from '../../shared/log/log.ts';
import { journalEntry } from './journal-entry.ts';

const [file = '', prefix = ''] = process.argv.slice(2);
const journal = openJournal({ file, log: silentLog, clock: systemClock });
let next = 0;

async function append(): Promise<never> {
  for (;;) {
    const serial = `${prefix}-${next++}`;
    await journal.append(journalEntry(serial));
    // Written at once: what is in a buffer of this process dies with it.
    writeSync(1, `${serial}\n`);
  }
}

await Promise.all(Array.from({ length: 32 }, append));
