import { mkdtemp, open as openFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect } from 'chai';
import { type Journal, type JournalEntry, type JournalOptions, openJournal } from '../../../citadel/ledger/journal.ts';
import { JournalStore } from '../../../citadel/ledger/journal-store.ts';
import { silentLog } from '../../../shared/log/log.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { journalEntry } from '../../support/journal-entry.ts';
import { RecordedLog } from '../../support/recorded-log.ts';
import { refusalCodeOf, refusalOf } from '../../support/refusals.ts';

interface Case {
  readonly folder: string;
  readonly file: string;
  readonly clock: FakeClock;
  readonly groups: number[];
  open(more?: Partial<JournalOptions>): Journal;
}

describe('the journal', () => {
  const cases: { folder: string; journals: Journal[] }[] = [];

  async function fresh(): Promise<Case> {
    const folder = await mkdtemp(join(tmpdir(), 'journal-'));
    const journals: Journal[] = [];
    cases.push({ folder, journals });
    const [file, clock, groups] = [join(folder, 'journal.db'), new FakeClock(), [] as number[]];
    const open = (more: Partial<JournalOptions> = {}): Journal => {
      const journal = openJournal({
        file,
        clock,
        log: silentLog,
        onGroup: ({ entries }) => groups.push(entries),
        ...more,
      });
      journals.push(journal);
      return journal;
    };
    return { folder, file, clock, groups, open };
  }

  afterEach(async () => {
    for (const { folder, journals } of cases.splice(0)) {
      for (const journal of journals) journal.close();
      await rm(folder, { recursive: true, force: true });
    }
  });

  describe('keeps', () => {
    it('every field of an entry, also when the pod’s node is not known', async () => {
      const { open } = await fresh();
      const journal = open();
      const { nodeName: _, ...withoutNode } = journalEntry('02');
      await Promise.all([journal.append(journalEntry('01')), journal.append(withoutNode)]);
      expect([journal.find('01'), journal.find('02'), journal.find('03')]).to.deep.equal([
        journalEntry('01'),
        withoutNode,
        undefined,
      ]);
    });

    it('rising numbers, over restarts too', async () => {
      const { open } = await fresh();
      const first = open();
      const numbers = await Promise.all(['a', 'b', 'c'].map((serial) => first.append(journalEntry(serial))));
      first.close();
      const second = open();
      numbers.push(await second.append(journalEntry('d')));
      expect([numbers, second.count()]).to.deep.equal([[1, 2, 3, 4], 4]);
    });

    it('what comes in one turn in one transaction', async () => {
      const { open, groups } = await fresh();
      const journal = open();
      await Promise.all(Array.from({ length: 100 }, (_, at) => journal.append(journalEntry(`a${at}`))));
      await journal.append(journalEntry('b'));
      expect(groups).to.deep.equal([100, 1]);
    });

    it('an entry for another process to see as soon as it is acknowledged', async () => {
      const { open, file } = await fresh();
      await open().append(journalEntry('01'));
      using reader = new DatabaseSync(file, { readOnly: true });
      expect(reader.prepare('SELECT serial FROM entries').all()).to.deep.equal([
        Object.assign(Object.create(null), { serial: '01' }),
      ]);
    });

    it('its promises of durability: WAL, synchronous FULL, strict types, files of mode 0600', async () => {
      const { open, folder, file } = await fresh();
      await open().append(journalEntry('01'));
      const store = new JournalStore(file, 'existing');
      expect([store.pragma('journal_mode'), store.pragma('synchronous')]).to.deep.equal(['wal', 2]);
      store.close();
      using reader = new DatabaseSync(file, { readOnly: true });
      const tables = reader
        .prepare("SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite%'")
        .all();
      expect(tables.map(({ strict }) => strict)).to.deep.equal([1, 1]);
      for (const name of await readdir(folder)) expect((await stat(join(folder, name))).mode & 0o777).to.equal(0o600);
    });

    it('what still waits when it is closed, and takes nothing afterwards', async () => {
      const { open } = await fresh();
      const journal = open();
      const last = journal.append(journalEntry('01'));
      journal.close();
      expect(await last).to.equal(1);
      expect(journal.healthy).to.equal(false);
      expect(await refusalCodeOf(journal.append(journalEntry('02')))).to.equal('journal_unavailable');
      expect(open().count()).to.equal(1);
    });

    it('others of the group when one entry alone is wrong: a serial twice, a wrong type', async () => {
      const { open } = await fresh();
      const journal = open();
      const wrong = { ...journalEntry('04'), notAfter: 'tomorrow' } as unknown as JournalEntry;
      const missing = { ...journalEntry('05'), podUid: undefined } as unknown as JournalEntry;
      const entries = [journalEntry('01'), journalEntry('01'), journalEntry('02'), wrong, missing, journalEntry('03')];
      const results = await Promise.allSettled(entries.map((entry) => journal.append(entry)));
      expect(results.map(({ status }) => status)).to.deep.equal([
        'fulfilled',
        'rejected',
        'fulfilled',
        'rejected',
        'rejected',
        'fulfilled',
      ]);
      expect([journal.healthy, journal.count()]).to.deep.equal([true, 3]);
    });

    it('a bound on how many may wait in one turn: overloaded', async () => {
      const { open } = await fresh();
      const journal = open();
      const all = Array.from({ length: 8200 }, (_, at) => journal.append(journalEntry(`s${at}`)));
      const results = await Promise.allSettled(all);
      const refused = results.filter((result) => result.status === 'rejected');
      expect(refused).to.have.length(8);
      expect(refused[0]?.reason).to.include({ code: 'overloaded' });
      expect(journal.count()).to.equal(8192);
    });
  });

  describe('on a disk that fails', () => {
    /** The real engine with a bound on its pages: a full disk without a disk. */
    function boundedStore(stores: JournalStore[], pages: () => number): NonNullable<JournalOptions['openStore']> {
      return (file, how) => {
        const store = new JournalStore(file, how);
        store.pragma(`max_page_count = ${pages()}`);
        stores.push(store);
        return store;
      };
    }

    it('that is full refuses everyone who waits, shows it, and recovers by itself when there is room', async () => {
      const { open, clock } = await fresh();
      const [log, stores] = [new RecordedLog(), [] as JournalStore[]];
      let pages = 20;
      const journal = open({ log, openStore: boundedStore(stores, () => pages) });
      let acknowledged = 0;
      let refused: unknown;
      while (refused === undefined) {
        const group = Array.from({ length: 16 }, (_, at) => journal.append(journalEntry(`${acknowledged + at}`)));
        const results = await Promise.allSettled(group);
        const failed = results.filter((result) => result.status === 'rejected');
        expect(failed.length).to.be.oneOf([0, 16]);
        acknowledged += 16 - failed.length;
        refused = failed[0]?.reason;
      }
      expect(refused).to.include({ code: 'journal_unavailable', retryAfterSeconds: 1 });
      expect([journal.healthy, journal.count()]).to.deep.equal([false, acknowledged]);
      expect(await refusalCodeOf(journal.append(journalEntry('during')))).to.equal('journal_unavailable');
      await clock.advance(3000);
      expect(journal.healthy).to.equal(false);
      pages = 10_000;
      await clock.advance(1000);
      expect(journal.healthy).to.equal(true);
      expect(await journal.append(journalEntry('after'))).to.equal(acknowledged + 1);
      expect(log.lines.map(({ event }) => event)).to.deep.equal(['journal_unavailable', 'journal_recovered']);
      expect(stores.length).to.be.greaterThan(3);
    });

    it('is not taken for healthy because a small write just fits', async () => {
      const { open, file } = await fresh();
      open().close();
      const pages = Math.ceil((await stat(file)).size / 4096) + 1;
      const journal = open({ openStore: boundedStore([], () => pages) });
      journal.probe();
      expect(journal.healthy).to.equal(false);
    });

    it('that another process keeps busy is a failure, not a wait without end', async () => {
      const { open, file, clock } = await fresh();
      const journal = open();
      await journal.append(journalEntry('01'));
      using other = new DatabaseSync(file);
      other.exec('BEGIN IMMEDIATE');
      expect(await refusalCodeOf(journal.append(journalEntry('02')))).to.equal('journal_unavailable');
      other.exec('ROLLBACK');
      await clock.advance(1000);
      expect(await journal.append(journalEntry('02'))).to.equal(2);
    });

    it('that lost the file acknowledges nothing, though SQLite would write on', async () => {
      const { open, file, clock } = await fresh();
      const journal = open();
      await journal.append(journalEntry('01'));
      await rename(file, `${file}.away`);
      expect(await refusalCodeOf(journal.append(journalEntry('02')))).to.equal('journal_unavailable');
      await clock.advance(3000);
      expect(journal.healthy).to.equal(false);
    });

    it('that lost the write-ahead log saves what was acknowledged before it goes on', async () => {
      const { open, file, clock } = await fresh();
      const journal = open();
      await journal.append(journalEntry('01'));
      await rm(`${file}-wal`);
      expect(await refusalCodeOf(journal.append(journalEntry('02')))).to.equal('journal_unavailable');
      expect(journal.healthy).to.equal(false);
      await clock.advance(1000);
      expect([journal.healthy, journal.find('01')]).to.deep.equal([true, journalEntry('01')]);
    });

    it('recovers when a file that was away is back with all its entries', async () => {
      const { open, folder, file, clock } = await fresh();
      const journal = open();
      await journal.append(journalEntry('01'));
      for (const name of ['journal.db', 'journal.db-wal'])
        await rename(join(folder, name), join(folder, `${name}.away`));
      await refusalOf(journal.append(journalEntry('02')));
      await clock.advance(1000);
      await rm(`${file}-shm`, { force: true });
      for (const name of ['journal.db', 'journal.db-wal'])
        await rename(join(folder, `${name}.away`), join(folder, name));
      await clock.advance(1000);
      expect(journal.healthy).to.equal(true);
      expect(journal.find('01')).to.deep.equal(journalEntry('01'));
    });

    it('never goes on with a file that lacks what was acknowledged', async () => {
      const { open, folder, file, clock } = await fresh();
      const journal = open();
      await journal.append(journalEntry('01'));
      await rm(folder, { recursive: true });
      await refusalOf(journal.append(journalEntry('02')));
      openJournal({ file, clock, log: silentLog }).close();
      await clock.advance(2000);
      expect(journal.healthy).to.equal(false);
      expect(await refusalCodeOf(() => journal.count())).to.equal('journal_unavailable');
    });
  });

  describe('does not open', () => {
    const HEADER = 'SQLite format 3\0';
    it('a file that is no database: journal_malformed', async () => {
      const { open, file } = await fresh();
      await writeFile(file, 'hello '.repeat(1000));
      expect(await refusalOf(() => open())).to.include({ code: 'journal_malformed' });
    });

    it('a file with a damaged header: journal_malformed', async () => {
      const { open, file } = await fresh();
      await writeFile(file, HEADER + '\xff'.repeat(8000));
      expect(await refusalCodeOf(() => open())).to.equal('journal_malformed');
    });

    it('a file whose pages are damaged: journal_malformed', async () => {
      const { open, file } = await fresh();
      const journal = open();
      await Promise.all(Array.from({ length: 200 }, (_, at) => journal.append(journalEntry(`s${at}`))));
      journal.close();
      const handle = await openFile(file, 'r+');
      await handle.write(Buffer.alloc(8192, 0x5a), 0, 8192, 4096 * 3);
      await handle.close();
      expect(await refusalCodeOf(() => open())).to.equal('journal_malformed');
    });

    it('the database of another program, and leaves it as it was: journal_malformed', async () => {
      const { open, file } = await fresh();
      const other = new DatabaseSync(file);
      other.exec('CREATE TABLE theirs (x)');
      other.close();
      expect(await refusalCodeOf(() => open())).to.equal('journal_malformed');
      using after = new DatabaseSync(file);
      expect(after.prepare('SELECT name FROM sqlite_schema').all()).to.have.length(1);
    });

    it('a journal of a newer citadel: journal_malformed, with both versions', async () => {
      const { open, file } = await fresh();
      open().close();
      const newer = new DatabaseSync(file);
      newer.exec('PRAGMA user_version = 2');
      newer.close();
      expect((await refusalOf(() => open())).detail).to.match(/version 2.*knows 1/);
    });

    it('where a folder is in the way, or none can be made: journal_unavailable', async () => {
      const { open, folder } = await fresh();
      expect(await refusalCodeOf(() => open({ file: folder }))).to.equal('journal_unavailable');
      await writeFile(join(folder, 'file'), '');
      expect(await refusalCodeOf(() => open({ file: join(folder, 'file/journal.db') }))).to.equal(
        'journal_unavailable',
      );
    });
  });
});
