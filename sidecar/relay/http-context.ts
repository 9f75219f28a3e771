/** What every exchange of one HTTP relay shares. */
import type { Clock, Randomness } from '../../shared/clock/clock.ts';
import type { Refusal } from '../../shared/errors/refusal.ts';
import type { Log } from '../../shared/log/log.ts';
import type { ServedRequest } from '../telemetry/served-request.ts';
import type { HttpLimits } from './http-limits.ts';
import type { IdleWatch } from './idle-watch.ts';
import type { UpstreamPool } from './upstream-pool.ts';

/** Who is told what a relay did. */
export interface HttpObserver {
  /** Once for every request, when it is over. */
  requestServed(served: ServedRequest): void;
  /** Once for everything that was refused or cut. */
  refused(refusal: Refusal): void;
}

export interface HttpContext {
  readonly pool: UpstreamPool;
  readonly limits: HttpLimits;
  readonly watch: IdleWatch;
  readonly clock: Clock;
  readonly randomness: Randomness;
  /** Carries direction and listener. */
  readonly log: Log;
  readonly observer: HttpObserver;
}
