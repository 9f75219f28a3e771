/**
 * Keeps an authority good while citadel runs: renews the intermediate at half of its life with the root's key, and takes
 * over files that an operator or another citadel exchanged, after the same checks as at a start. Whatever goes wrong,
 * the authority in use stays in use, and it is tried again. It never touches a root.
 */
import { join } from 'node:path';
import type { Timer } from '../../shared/clock/clock.ts';
import { Refusal } from '../../shared/errors/refusal.ts';
import type { Log } from '../../shared/log/log.ts';
import type { Authority, AuthorityMaterial } from './authority.ts';
import {
  type AuthorityTexts,
  folderVersion,
  NAMES,
  readAuthorityTexts,
  readRootKeyText,
  shapeOf,
} from './authority-files.ts';
import type { IssuingRoot } from './ceremonies.ts';
import { checkChain } from './check-chain.ts';
import { createIntermediateFiles, type FreshFiles } from './create-authority-files.ts';
import { withFolderLock } from './folder-lock.ts';
import { type AuthorityFolder, type LoadedAuthority, loadAuthority } from './load-authority.ts';
import { readMaterial, readPrivateKey } from './read-material.ts';
import { softwareSigner } from './software-signer.ts';
import { finishStaged, hasStaged, installTogether } from './staged-files.ts';

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
  #refusedVersion: string | undefined;
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
    if (this.#options.clock.now() < halfLife(this.#loaded.material)) this.#complainedAt = undefined;
    else await this.#renew();
  }

  async #takeOver(): Promise<void> {
    const { directory, clock } = this.#options;
    try {
      const version = await folderVersion(directory);
      const unchanged = version === this.#loaded.version || version === this.#refusedVersion;
      if (unchanged && !(await hasStaged(directory))) return;
      const loaded = await withFolderLock(directory, clock, async () => {
        await finishStaged(directory);
        return loadAuthority(this.#options);
      });
      this.#publish(loaded, 'reloaded');
    } catch (error) {
      this.#refusedVersion = await this.#version();
      this.#failed('reload_refused', error);
    }
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
        // Another citadel on the same folder was first: the next look takes its work over.
        if ((await folderVersion(directory)) !== this.#loaded.version) return;
        const root = await this.#issuingRoot();
        if (typeof root === 'string') return this.#complain(root);
        const fresh = await createIntermediateFiles({ ...this.#options, now: clock.now() }, root);
        await this.#checkFresh(fresh);
        await installTogether(directory, fresh);
        this.#publish(await loadAuthority(this.#options), 'renewed');
      });
    } catch (error) {
      this.#failed('renewal_failed', error);
    }
  }

  /** The root to renew under, or why there is none. */
  async #issuingRoot(): Promise<IssuingRoot | string> {
    const { directory } = this.#options;
    const { roots, signing } = this.#loaded.material;
    const text = await readRootKeyText(directory);
    if (text === undefined) return `${NAMES.rootKey} is not in ${directory}`;
    const privateKey = readPrivateKey(text);
    const { spki } = softwareSigner(privateKey);
    const root = roots.find((one) => one.spki.equals(spki));
    if (root === undefined)
      throw new Refusal('authority_key_mismatch', `${text.file} belongs to no certificate of ${NAMES.roots}`);
    if (root.notAfter <= signing.notAfter)
      return `the root ends ${new Date(root.notAfter).toISOString()}, before a new intermediate would`;
    return { certificate: root.der, privateKey, notAfter: root.notAfter };
  }

  /** What would be refused at the next start must not be installed. */
  async #checkFresh(fresh: FreshFiles): Promise<void> {
    const { directory, clock } = this.#options;
    const shape = await shapeOf(directory);
    if (shape !== 'cacerts') throw new Refusal('authority_incomplete', directory);
    const present = await readAuthorityTexts(directory, shape);
    const freshText = (name: string): AuthorityTexts['key'] => ({
      file: join(directory, name),
      text: fresh[name] ?? '',
    });
    const material = readMaterial({
      ...present,
      certificate: freshText(NAMES.certificate),
      key: freshText(NAMES.key),
      chain: freshText(NAMES.chain),
    });
    await checkChain(material, { ...this.#options, now: clock.now() });
  }

  #publish(loaded: LoadedAuthority, event: AuthorityEvent): void {
    if (this.#closed) return;
    this.#loaded = loaded;
    this.#refusedVersion = undefined;
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

function halfLife({ signing }: AuthorityMaterial): number {
  return signing.notBefore + (signing.notAfter - signing.notBefore) / 2;
}
