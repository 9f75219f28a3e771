/**
 * For ports whose protocol is not declared: looks at the first bytes of each connection and hands it to the relay
 * of that protocol. Where the client stays silent the destination may speak first; it is dialed then, and the one
 * who speaks decides. Silence alone never makes a connection opaque: a client that waits a while before it sends a
 * request must not get its headers past those who check them.
 */
import type { Clock } from '../../shared/clock/clock.ts';
import { Refusal } from '../../shared/errors/refusal.ts';
import type { Log } from '../../shared/log/log.ts';
import { FirstLook } from './first-look.ts';
import { IdleWatch } from './idle-watch.ts';
import type { Spoken } from './protocol-detect.ts';
import type { Accepted, Relay } from './relay.ts';
import { giveUp, type Upstream } from './upstream.ts';

export interface DetectingRelayOptions {
  readonly http: Relay;
  readonly h2: Relay;
  readonly tcp: Relay;
  readonly upstream: Upstream;
  readonly clock: Clock;
  /** Milliseconds that the client may be silent before the destination is dialed. */
  readonly patienceMs: number;
  /** Milliseconds after which a client that has begun must be understood. */
  readonly undecidedMs: number;
  /** Seconds that nobody may speak at all. */
  readonly idleSeconds: number;
  readonly log: Log;
  readonly refused: (refusal: Refusal) => void;
}

/** How long a destination that spoke first is dialed at once: milliseconds. */
const REMEMBERED_MS = 600_000;

export class DetectingRelay implements Relay {
  readonly #options: DetectingRelayOptions;
  readonly #watch: IdleWatch;
  readonly #looks = new Set<FirstLook>();
  #serverFirstUntil = 0;

  constructor(options: DetectingRelayOptions) {
    this.#options = options;
    this.#watch = new IdleWatch(options.clock, options.idleSeconds);
  }

  accept(accepted: Accepted): void {
    const { channel, ready } = accepted;
    if (channel.isClosed) return void (ready && giveUp(ready, 'the client left'));
    const { upstream, clock, undecidedMs, idleSeconds } = this.#options;
    const patienceMs = clock.monotonic() < this.#serverFirstUntil ? 0 : this.#options.patienceMs;
    const look = new FirstLook(
      accepted,
      { upstream, clock, watch: this.#watch, patienceMs, undecidedMs, idleSeconds },
      {
        understood: (spoken) => {
          this.#looks.delete(look);
          return this.#relayFor(spoken);
        },
        serverSpoke: () => {
          this.#serverFirstUntil = clock.monotonic() + REMEMBERED_MS;
        },
        over: (why) => {
          this.#looks.delete(look);
          if (why) this.#tell(why, accepted);
        },
      },
    );
    this.#looks.add(look);
    look.begin();
  }

  drain(): void {
    const { http, h2, tcp } = this.#options;
    for (const look of [...this.#looks]) look.retire('draining');
    for (const relay of [http, h2, tcp]) relay.drain();
  }

  close(): void {
    const { http, h2, tcp } = this.#options;
    for (const look of [...this.#looks]) look.cut(new Refusal('draining'));
    for (const relay of [http, h2, tcp]) relay.close();
  }

  /** TLS of the app's own is carried as it is. */
  #relayFor(spoken: Spoken): Relay {
    const { http, h2, tcp } = this.#options;
    return spoken === 'http' ? http : spoken === 'h2' ? h2 : tcp;
  }

  #tell(refusal: Refusal, { peer }: Accepted): void {
    const { log, refused } = this.#options;
    refused(refusal);
    log.warn('connection_refused', { code: refusal.code, reason: refusal.detail, peer: peer?.spiffeId.uri });
  }
}
