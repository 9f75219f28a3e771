/**
 * Keeps an authority good while citadel runs: renews the intermediate at half of its life with the root's key, and takes
 * over files that an operator or another citadel exchanged, after the same checks as at a start. Whatever goes wrong,
 * the authority in use stays in use, and it is tried again. It never touches a root.
 */
import type { Timer } from '../../shared/clock/clock.ts';
import { Refusal } from '../../shared/errors/refusal.ts';
import type { Log } from '../../shared/log/log.ts';
import type { Authority, AuthorityMaterial } from './authority.ts';
import { folderVersion } from './authority-files.ts';
import { withFolderLock } from './folder-lock.ts';
import { type AuthorityFolder, type LoadedAuthority, loadAuthority } from './load-authority.ts';
import { renewIntermediate } from './renew-intermediate.ts';
import { finishStaged, hasStaged } from './staged-files.ts';

/** What happened to the authority, for metrics. */
export type AuthorityEvent = 'renewed' | 'renewal_blocked' | 'renewal_failed' | 'reloaded' | 'reload_refused';

export interface AuthorityOptions extends AuthorityFolder {
  readonly log: Log;
  /** Every event is logged as well. */
  readonly onEvent?: (event: AuthorityEvent) => void;
}

const CHECK_EVERY_MS = 60_000;
/** A renewal that needs an operator is complained about this often. */
const COMPLAIN_EVERY_MS = 3_600_000;

export class AuthorityKeeper {
  readonly #options: AuthorityOptions;
  readonly #listeners = new Set<(authority: Authority) => void>();
  #loaded: LoadedAuthority;
  /** The state of the folder that was refused last, and why. It is tried again: what was wrong may have passed. */
  #refusedVersion: string | undefined;
  #refusedFor: string | undefined;
  #complainedAt: number | undefined;
  #checking: Promise<void> | undefined;
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: AuthorityOptions, loaded: LoadedAuthority) {
    this.#options = options;
    this.#loaded = loaded;
  }

  current(): Authority {
    return this.#loaded.authority;
  }

  /** The renewal is due, and citadel cannot do it: the root's key is offline, or the root itself ends. */
  get renewalBlocked(): boolean {
    return this.#complainedAt !== undefined;
  }

  /** @returns a function that ends the subscription */
  onChange(listener: (authority: Authority) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Looks after folder and dates once a minute from now on. */
  start(): void {
    if (this.#closed) return;
    this.#timer = this.#options.clock.after(CHECK_EVERY_MS, () => void this.check().finally(() => this.start()));
  }

  /** One look, now: takes over changed files, then renews when it is time. Never rejects. */
  check(): Promise<void> {
    this.#checking ??= this.#look().finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#listeners.clear();
  }

  async #look(): Promise<void> {
    await this.#takeOver();
    if (isDue(this.#loaded.material, this.#options.clock.now())) await this.#renew();
    else this.#complainedAt = undefined;
  }

  async #takeOver(): Promise<void> {
    const { directory, clock } = this.#options;
    try {
      const version = await folderVersion(directory);
      if (version === this.#loaded.version && !(await hasStaged(directory))) return;
      const loaded = await withFolderLock(directory, clock, async () => {
        await finishStaged(directory);
        return loadAuthority(this.#options);
      });
      this.#publish(loaded, 'reloaded');
    } catch (error) {
      await this.#refused(error);
    }
  }

  /** Said once for the same files and the same reason. */
  async #refused(error: unknown): Promise<void> {
    const version = await this.#version();
    const reason = error instanceof Refusal ? error.code : String(error);
    const known = version === this.#refusedVersion && reason === this.#refusedFor;
    this.#refusedVersion = version;
    this.#refusedFor = reason;
    if (!known) this.#failed('reload_refused', error);
  }

  async #version(): Promise<string | undefined> {
    try {
      return await folderVersion(this.#options.directory);
    } catch {
      // Unreadable at this moment; the next look will try the files again.
      return undefined;
    }
  }

  async #renew(): Promise<void> {
    const { directory, clock } = this.#options;
    try {
      await withFolderLock(directory, clock, async () => {
        const version = await folderVersion(directory);
        if (version === this.#refusedVersion) return this.#complain('the files in the folder were refused');
        // Another citadel on the same folder was first: the next look takes its work over.
        if (version !== this.#loaded.version) return;
        const obstacle = await renewIntermediate(this.#options, this.#loaded.material);
        if (obstacle !== undefined) return this.#complain(obstacle);
        this.#publish(await loadAuthority(this.#options), 'renewed');
      });
    } catch (error) {
      this.#failed('renewal_failed', error);
    }
  }

  #publish(loaded: LoadedAuthority, event: AuthorityEvent): void {
    if (this.#closed) return;
    this.#loaded = loaded;
    this.#refusedVersion = undefined;
    this.#refusedFor = undefined;
    this.#complainedAt = undefined;
    const { signing } = loaded.material;
    this.#options.log.info(`authority_${event}`, {
      serial: signing.serial,
      notAfter: new Date(signing.notAfter).toISOString(),
    });
    this.#options.onEvent?.(event);
    for (const listener of this.#listeners) listener(loaded.authority);
  }

  #complain(reason: string): void {
    const { log, clock, onEvent } = this.#options;
    const now = clock.monotonic();
    if (this.#complainedAt !== undefined && now - this.#complainedAt < COMPLAIN_EVERY_MS) return;
    this.#complainedAt = now;
    log.warn('authority_renewal_blocked', {
      reason,
      notAfter: new Date(this.#loaded.material.signing.notAfter).toISOString(),
    });
    onEvent?.('renewal_blocked');
  }

  #failed(event: AuthorityEvent, error: unknown): void {
    const reason = error instanceof Refusal ? { code: error.code, reason: error.detail } : { reason: String(error) };
    this.#options.log.error(`authority_${event}`, reason);
    this.#options.onEvent?.(event);
  }
}

/** At half of its life; and at once when it was made while the clock was ahead, and is not valid yet. */
function isDue({ signing }: AuthorityMaterial, now: number): boolean {
  return now < signing.notBefore || now >= signing.notBefore + (signing.notAfter - signing.notBefore) / 2;
}
