/**
 * The issuance journal as one SQLite file: schema, durable groups, look-up. Every group is one transaction with
 * synchronous=FULL in WAL mode, so what was committed survives kill -9 and power loss. It notices when its file
 * was removed or replaced under it, because SQLite itself would go on writing into a file that nobody can find.
 * It never retries and never decides what a failure means for issuing: see journal.ts.
 */
import { closeSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLOutputValue, type StatementSync } from 'node:sqlite';
import { Refusal } from '../../shared/errors/refusal.ts';
import type { JournalEntry } from './journal.ts';

/** `create`: folder and file are made when missing. `existing`: a missing file is a failure (see journal.ts). */
export type OpenHow = 'create' | 'existing';

/** What became of one entry of a group: its number, or why this entry alone was not written. */
export type Written = number | Error;

/** 'SPJ1' in the SQLite header: tells our file from any other database. */
const APPLICATION_ID = 0x53504a31;
const SCHEMA_VERSION = 1;

const SCHEMA = `
CREATE TABLE IF NOT EXISTS entries (
  entry INTEGER PRIMARY KEY,
  serial TEXT NOT NULL UNIQUE,
  spiffe_id TEXT NOT NULL,
  pod_uid TEXT NOT NULL,
  pod_name TEXT NOT NULL,
  namespace TEXT NOT NULL,
  service_account TEXT NOT NULL,
  node_name TEXT,
  token_id TEXT NOT NULL,
  key_fingerprint TEXT NOT NULL,
  certificate_hash TEXT NOT NULL,
  not_before INTEGER NOT NULL,
  not_after INTEGER NOT NULL,
  recorded_at INTEGER NOT NULL,
  request_id TEXT NOT NULL,
  decision TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS probe (id INTEGER PRIMARY KEY, padding BLOB NOT NULL) STRICT;
PRAGMA application_id = ${APPLICATION_ID};
PRAGMA user_version = ${SCHEMA_VERSION};
`;

const INSERT = `INSERT INTO entries (serial, spiffe_id, pod_uid, pod_name, namespace, service_account, node_name, token_id,
  key_fingerprint, certificate_hash, not_before, not_after, recorded_at, request_id, decision)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

/** Milliseconds to wait for another process that writes. The event loop stands still meanwhile: keep it short. */
const BUSY_TIMEOUT_MS = 100;

/** A file up to this size is read through completely at the start; a larger one would delay it by seconds. */
const QUICK_CHECK_MOST_BYTES = 16 << 20;

/** What the probe writes and takes away again: more than a group of 32 entries needs. */
const PROBE_BYTES = 32 << 10;

/** SQLite's primary result code for a broken constraint or a wrong type in a STRICT table. */
const SQLITE_CONSTRAINT = 19;

export class JournalStore {
  readonly #file: string;
  readonly #database: DatabaseSync;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #insert: StatementSync;
  readonly #find: StatementSync;
  readonly #inode: number;

  /** @throws {Refusal} journal_malformed, or journal_unavailable when the file cannot be opened or written */
  constructor(file: string, how: OpenHow) {
    this.#file = file;
    this.#database = openDatabase(file, how);
    this.#begin = this.#database.prepare('BEGIN IMMEDIATE');
    this.#commit = this.#database.prepare('COMMIT');
    this.#insert = this.#database.prepare(INSERT);
    this.#find = this.#database.prepare('SELECT * FROM entries WHERE serial = ?');
    this.#inode = statSync(file).ino;
  }

  /**
   * One durable transaction. An entry that breaks a constraint is left out alone; any other failure undoes the group.
   * @returns per entry its number or its error, in the order given
   */
  write(entries: readonly JournalEntry[]): Written[] {
    return this.#transact(() => entries.map((entry) => this.#writeOne(entry)));
  }

  find(serial: string): JournalEntry | undefined {
    const row = this.#find.get(serial);
    return row === undefined ? undefined : entryOf(row);
  }

  count(): number {
    return Number(this.#database.prepare('SELECT count(*) AS n FROM entries').get()?.['n']);
  }

  /** 0 when there is none yet. */
  lastEntry(): number {
    return Number(this.#database.prepare('SELECT max(entry) AS n FROM entries').get()?.['n'] ?? 0);
  }

  /** Proves that a group of entries would find room and reach the disk. @throws when not */
  probe(): void {
    this.#transact(() => this.#database.exec(`INSERT INTO probe (padding) VALUES (zeroblob(${PROBE_BYTES}))`));
    this.#transact(() => this.#database.exec('DELETE FROM probe'));
  }

  close(): void {
    this.#database.close();
  }

  /** Reads a setting of SQLite, or sets one with `name = value`: for limits like max_page_count. */
  pragma(text: string): unknown {
    return Object.values(this.#database.prepare(`PRAGMA ${text}`).get() ?? {})[0];
  }

  #writeOne(entry: JournalEntry): Written {
    try {
      return Number(this.#insert.run(...valuesOf(entry)).lastInsertRowid);
    } catch (error) {
      if (error instanceof Error && concernsOnlyThisRow(error)) return error;
      throw error;
    }
  }

  #transact<Result>(work: () => Result): Result {
    this.#begin.run();
    try {
      const result = work();
      this.#commit.run();
      this.#assertStillInPlace();
      return result;
    } catch (error) {
      this.#rollBack();
      throw error;
    }
  }

  /** A full disk makes SQLite roll back by itself; then, or when even this fails, the first error is the one to tell. */
  #rollBack(): void {
    try {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
    } catch {
      // The connection is beyond use; journal.ts opens another one.
    }
  }

  /** Rows in a deleted or exchanged file are durable for nobody. */
  #assertStillInPlace(): void {
    const inPlace = statSync(this.#file, { throwIfNoEntry: false })?.ino === this.#inode;
    if (!inPlace || statSync(`${this.#file}-wal`, { throwIfNoEntry: false }) === undefined) {
      throw new Error('the journal file was removed or replaced while open');
    }
  }
}

function openDatabase(file: string, how: OpenHow): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    prepareFile(file, how);
    database = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS });
    const mode = database.prepare('PRAGMA journal_mode = WAL').get()?.['journal_mode'];
    if (mode !== 'wal') throw new Error(`the file system allows no WAL (journal_mode ${mode})`);
    database.exec('PRAGMA synchronous = FULL');
    prepareSchema(database, file);
    return database;
  } catch (error) {
    database?.close();
    if (error instanceof Refusal) throw error;
    throw refusalOf(error, file);
  }
}

function prepareFile(file: string, how: OpenHow): void {
  if (how === 'existing') return void statSync(file);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  // To open a pipe would wait for its other end.
  if (statSync(file, { throwIfNoEntry: false })?.isFile() === false) throw new Error('not a file');
  // SQLite would create it readable by all; its -wal and -shm files take over the mode of this one.
  closeSync(openSync(file, 'a', 0o600));
}

function prepareSchema(database: DatabaseSync, file: string): void {
  const number = (pragma: string): number => Number(Object.values(database.prepare(`PRAGMA ${pragma}`).get() ?? {})[0]);
  if (number('page_count') === 0 || (number('application_id') === 0 && number('schema_version') === 0)) {
    database.exec(`BEGIN IMMEDIATE; ${SCHEMA} COMMIT;`);
    return;
  }
  if (number('application_id') !== APPLICATION_ID)
    throw new Refusal('journal_malformed', `${file} is the database of another program`);
  const version = number('user_version');
  if (version !== SCHEMA_VERSION) {
    throw new Refusal(
      'journal_malformed',
      `${file} has schema version ${version}; this citadel knows ${SCHEMA_VERSION}`,
    );
  }
  if (statSync(file).size > QUICK_CHECK_MOST_BYTES) return;
  const verdict = Object.values(database.prepare('PRAGMA quick_check(1)').get() ?? {})[0];
  if (verdict !== 'ok') throw new Refusal('journal_malformed', `${file}: ${String(verdict).slice(0, 200)}`);
}

/** SQLITE_CORRUPT and SQLITE_NOTADB speak of the content; everything else of the disk or the access to it. */
function refusalOf(error: unknown, file: string): Refusal {
  const code = primaryCode(error);
  const reason = error instanceof Error ? error.message : String(error);
  return new Refusal(code === 11 || code === 26 ? 'journal_malformed' : 'journal_unavailable', {
    detail: `${file}: ${reason}`,
    cause: error,
  });
}

/** A wrong type is refused by SQLite (constraint) or already by the binding (no SQLite code): the disk is not at fault. */
function concernsOnlyThisRow(error: Error): boolean {
  const code = primaryCode(error);
  return code === SQLITE_CONSTRAINT || (code === undefined && error instanceof TypeError);
}

function primaryCode(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : undefined;
}

function valuesOf(entry: JournalEntry): (string | number | null)[] {
  return [
    entry.serial,
    entry.spiffeId,
    entry.podUid,
    entry.podName,
    entry.namespace,
    entry.serviceAccount,
    entry.nodeName ?? null,
    entry.tokenId,
    entry.keyFingerprint,
    entry.certificateHash,
    entry.notBefore,
    entry.notAfter,
    entry.recordedAt,
    entry.requestId,
    entry.decision,
  ];
}

function entryOf(row: Record<string, SQLOutputValue>): JournalEntry {
  const text = (column: string): string => String(row[column]);
  return {
    serial: text('serial'),
    spiffeId: text('spiffe_id'),
    podUid: text('pod_uid'),
    podName: text('pod_name'),
    namespace: text('namespace'),
    serviceAccount: text('service_account'),
    ...(row['node_name'] === null ? {} : { nodeName: text('node_name') }),
    tokenId: text('token_id'),
    keyFingerprint: text('key_fingerprint'),
    certificateHash: text('certificate_hash'),
    notBefore: Number(row['not_before']),
    notAfter: Number(row['not_after']),
    recordedAt: Number(row['recorded_at']),
    requestId: text('request_id'),
    decision: 'issued',
  };
}
