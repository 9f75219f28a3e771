/**
 * Keeps the token files of all workloads fresh: written at start, again at 80 % of their life as kubelet does,
 * and after a failure again and again. A workload that is meant to hold an expired token gets it once.
 */
import { backoffDelay } from '../../shared/backoff/backoff.ts';
import type { Clock, Randomness, Timer } from '../../shared/clock/clock.ts';
import type { Log } from '../../shared/log/log.ts';
import type { DevIssuer } from './dev-issuer.ts';
import type { LocalWorkload } from './local-workload.ts';
import { writeTokenDirectory } from './token-directory.ts';

/** Where the token of a workload goes. */
export interface TokenPlace extends LocalWorkload {
  readonly directory: string;
  /** Gets a token whose time is over. */
  readonly expired: boolean;
}

export interface TokenRefresherOptions {
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly log: Log;
  readonly issuer: DevIssuer;
  readonly places: readonly TokenPlace[];
}

const RETRY = { firstMs: 500, capMs: 5000 };

export class TokenRefresher {
  readonly #options: TokenRefresherOptions;
  readonly #timers = new Map<TokenPlace, Timer>();
  #closed = false;

  constructor(options: TokenRefresherOptions) {
    this.#options = options;
  }

  /** Writes every token once. @throws the error of the file system: a start with a wrong path should fail */
  async start(): Promise<void> {
    await Promise.all(this.#options.places.map((place) => this.#write(place)));
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers.values()) timer.cancel();
  }

  async #write(place: TokenPlace): Promise<void> {
    const { clock, randomness, log, issuer } = this.#options;
    const { token, issuedAt, expiresAt } = place.expired ? issuer.issueExpired(place) : issuer.issue(place);
    await writeTokenDirectory(place.directory, token, clock.now(), randomness.bytes(3));
    const { namespace, serviceAccount, directory } = place;
    log.debug('dev_token_written', {
      namespace,
      serviceAccount,
      directory,
      expiresAt: new Date(expiresAt).toISOString(),
    });
    // kubelet refreshes at 80 % of the life of a token.
    if (!place.expired) this.#again(place, (expiresAt - issuedAt) * 0.8 - (clock.now() - issuedAt), 0);
  }

  #again(place: TokenPlace, ms: number, failures: number): void {
    if (this.#closed) return;
    const { clock, randomness, log } = this.#options;
    const refresh = (): void => {
      this.#write(place).catch((error: NodeJS.ErrnoException) => {
        log.warn('dev_token_not_written', { directory: place.directory, reason: error.code ?? error.message });
        this.#again(place, backoffDelay(failures + 1, randomness.draw(), RETRY), failures + 1);
      });
    };
    this.#timers.set(place, clock.after(ms, refresh));
  }
}
