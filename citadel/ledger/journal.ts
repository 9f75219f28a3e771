/**
 * The issuance journal: every certificate is durable here before its answer leaves. Entries that arrive in one turn
 * of the event loop share one transaction (group commit), so the fsync is paid once. When the disk fails, everybody
 * who waits is refused and issuing stops; the journal tries again by itself until it can write. It never starts a
 * fresh file while running: a journal that vanished is a fault to be seen, not to be papered over.
 */
import type { Clock, Timer } from '../../shared/clock/clock.ts';
import { Refusal } from '../../shared/errors/refusal.ts';
import type { Log } from '../../shared/log/log.ts';
import { JournalStore, type OpenHow, type Written } from './journal-store.ts';

export interface JournalEntry {
  /** Lowercase hex. */
  readonly serial: string;
  readonly spiffeId: string;
  readonly podUid: string;
  readonly podName: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly nodeName?: string;
  /** Names the token without being it. */
  readonly tokenId: string;
  /** SHA-256 of the SubjectPublicKeyInfo, hex. */
  readonly keyFingerprint: string;
  /** SHA-256 of the certificate in DER, hex. */
  readonly certificateHash: string;
  /** Milliseconds since the Unix epoch, like every time here. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly recordedAt: number;
  readonly requestId: string;
  readonly decision: 'issued';
}

export interface Journal {
  /** Resolves with the number of the entry once it is durable. @throws {Refusal} journal_unavailable */
  append(entry: JournalEntry): Promise<number>;
  /** False while the last write or probe failed: nothing may be issued then. */
  readonly healthy: boolean;
  /** Tries to write now; recovers health when it works. Never throws. */
  probe(): void;
  /** @throws {Refusal} journal_unavailable, like count() */
  find(serial: string): JournalEntry | undefined;
  count(): number;
  /** Writes what is waiting, then closes the file. */
  close(): void;
}

export interface JournalOptions {
  readonly file: string;
  readonly log: Log;
  readonly clock: Clock;
  /** Called after each durable group, for metrics. */
  readonly onGroup?: (group: { readonly entries: number; readonly milliseconds: number }) => void;
  /** How the file is opened; exchanged in tests of a failing disk. */
  readonly openStore?: (file: string, how: OpenHow) => JournalStore;
}

interface Waiting {
  readonly entry: JournalEntry;
  resolve(number: number): void;
  reject(reason: Error): void;
}

/** More entries than this in one turn means that callers come faster than any disk: turn them away. */
const MOST_WAITING = 8192;
const PROBE_EVERY_MS = 1000;

/** @throws {Refusal} journal_unavailable or journal_malformed */
export function openJournal(options: JournalOptions): Journal {
  return new GroupCommitJournal(options);
}

class GroupCommitJournal implements Journal {
  readonly #options: JournalOptions;
  readonly #openStore: (file: string, how: OpenHow) => JournalStore;
  #store: JournalStore;
  #waiting: Waiting[] = [];
  #lastEntry = 0;
  #healthy = true;
  #closed = false;
  #probeTimer: Timer | undefined;

  constructor(options: JournalOptions) {
    this.#options = options;
    this.#openStore = options.openStore ?? ((file, how) => new JournalStore(file, how));
    this.#store = this.#openStore(options.file, 'create');
    this.#lastEntry = this.#store.lastEntry();
  }

  get healthy(): boolean {
    return this.#healthy && !this.#closed;
  }

  append(entry: JournalEntry): Promise<number> {
    return new Promise((resolve, reject) => {
      if (!this.healthy) return reject(unavailable(this.#closed ? 'closed' : 'the last write failed'));
      if (this.#waiting.length >= MOST_WAITING)
        return reject(new Refusal('overloaded', { detail: 'journal queue full', retryAfterSeconds: 1 }));
      if (this.#waiting.push({ entry, resolve, reject }) === 1) setImmediate(() => this.#commit());
    });
  }

  probe(): void {
    if (this.#closed) return;
    try {
      if (!this.#healthy) this.#reopen();
      this.#store.probe();
      this.#recovered();
    } catch (error) {
      this.#failed(error);
    }
  }

  find(serial: string): JournalEntry | undefined {
    return this.#read((store) => store.find(serial));
  }

  count(): number {
    return this.#read((store) => store.count());
  }

  close(): void {
    if (this.#closed) return;
    this.#commit();
    this.#closed = true;
    this.#probeTimer?.cancel();
    this.#closeStore();
  }

  #commit(): void {
    const group = this.#waiting;
    if (group.length === 0) return;
    this.#waiting = [];
    const { clock, onGroup } = this.#options;
    const started = clock.monotonic();
    let written: Written[];
    try {
      written = this.#store.write(group.map(({ entry }) => entry));
    } catch (error) {
      this.#failed(error);
      const refusal = unavailable(error);
      for (const one of group) one.reject(refusal);
      return;
    }
    group.forEach(({ resolve, reject }, at) => {
      const result = written[at];
      if (typeof result === 'number') {
        this.#lastEntry = Math.max(this.#lastEntry, result);
        resolve(result);
      } else reject(result ?? new Error('the journal lost an entry'));
    });
    onGroup?.({ entries: group.length, milliseconds: clock.monotonic() - started });
  }

  #read<Result>(query: (store: JournalStore) => Result): Result {
    try {
      return query(this.#store);
    } catch (error) {
      throw unavailable(error);
    }
  }

  /** A connection that failed may keep broken state; a file that came back (a remount) is another file. */
  #reopen(): void {
    this.#closeStore();
    const store = this.#openStore(this.#options.file, 'existing');
    const last = store.lastEntry();
    if (last < this.#lastEntry) {
      store.close();
      throw new Error(`entries up to ${this.#lastEntry} were acknowledged, the file ends at ${last}`);
    }
    this.#store = store;
  }

  #closeStore(): void {
    try {
      this.#store.close();
    } catch (error) {
      this.#options.log.debug('journal_close_failed', { reason: reasonOf(error) });
    }
  }

  #failed(error: unknown): void {
    if (this.#healthy)
      this.#options.log.error('journal_unavailable', { file: this.#options.file, reason: reasonOf(error) });
    this.#healthy = false;
    this.#probeTimer?.cancel();
    this.#probeTimer = this.#options.clock.after(PROBE_EVERY_MS, () => this.probe());
  }

  #recovered(): void {
    if (!this.#healthy) this.#options.log.info('journal_recovered', { file: this.#options.file });
    this.#healthy = true;
  }
}

function unavailable(cause: unknown): Refusal {
  return new Refusal('journal_unavailable', { detail: reasonOf(cause), retryAfterSeconds: 1, cause });
}

function reasonOf(error: unknown): string {
  if (error instanceof Refusal) return error.detail;
  return error instanceof Error ? error.message : String(error);
}
