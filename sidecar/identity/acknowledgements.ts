/**
 * Tells the source which bundle is in use, until it has heard: without that citadel waits for this sidecar before it
 * withdraws an old root. One call at a time and always for the newest version; a failure is followed by a wait and
 * another try, on its own, because the watch stream may live for days. It does not judge what is in use.
 */
import { type BackoffLimits, backoffDelay } from '../../shared/backoff/backoff.ts';
import { type Clock, pause, type Randomness } from '../../shared/clock/clock.ts';
import { asRefusal } from '../../shared/errors/refusal.ts';
import type { Log } from '../../shared/log/log.ts';
import type { IdentitySource } from './identity-source.ts';

export interface AcknowledgementsOptions {
  readonly source: Pick<IdentitySource, 'acknowledge'>;
  readonly backoff: BackoffLimits;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly log: Log;
}

export class Acknowledgements {
  readonly #options: AcknowledgementsOptions;
  #wanted: number | undefined;
  #running = false;

  constructor(options: AcknowledgementsOptions) {
    this.#options = options;
  }

  /** This version is in use from now on. Returns at once; nothing is tried any more when the signal is aborted. */
  inUse(version: number, signal: AbortSignal): void {
    this.#wanted = version;
    if (!this.#running) void this.#run(signal);
  }

  async #run(signal: AbortSignal): Promise<void> {
    this.#running = true;
    for (let failures = 0; this.#wanted !== undefined && !signal.aborted; ) {
      const told = await this.#tell(this.#wanted, failures, signal);
      failures = told ? 0 : failures + 1;
      if (!told) await this.#rest(failures, signal);
    }
    this.#running = false;
  }

  async #tell(version: number, failures: number, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#options.source.acknowledge(version, signal);
      this.#done(version);
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      const { code, detail } = asRefusal(error, 'citadel_unreachable');
      this.#options.log.warn('acknowledgement_failed', { version, code, detail, failures: failures + 1 });
      // Nobody there has sent it (citadel was restarted): repeating helps nothing, the next stream brings a bundle.
      if (code === 'acknowledgement_unknown') this.#done(version);
      return false;
    }
  }

  /** Unless a newer one has come meanwhile. */
  #done(version: number): void {
    if (this.#wanted === version) this.#wanted = undefined;
  }

  async #rest(failures: number, signal: AbortSignal): Promise<void> {
    const { clock, randomness, backoff } = this.#options;
    try {
      await pause(clock, backoffDelay(failures, randomness.draw(), backoff), signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}
