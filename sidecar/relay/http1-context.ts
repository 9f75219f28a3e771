/** What all connections of one HTTP relay share. */
import type { Clock } from '../../shared/clock/clock.ts';
import type { Refusal } from '../../shared/errors/refusal.ts';
import type { HeadLimits } from '../../shared/http1/head.ts';
import type { Log } from '../../shared/log/log.ts';
import type { EndpointSet } from '../balance/endpoint-set.ts';
import type { ServedRequest } from '../telemetry/served-request.ts';
import type { HttpLimits } from './http-limits.ts';
import type { Http1Pool } from './http1-pool.ts';
import type { IdleWatch } from './idle-watch.ts';
import type { RequestIds } from './request-id.ts';
import type { Upstream } from './upstream.ts';

/** Who is told what a relay did. */
export interface HttpObserver {
  /** Once for every request, when it is over. */
  requestServed(served: ServedRequest): void;
  /** Once for everything that was refused or cut. */
  refused(refusal: Refusal): void;
}

export interface Http1Context {
  readonly kind: Upstream['kind'];
  readonly endpoints: EndpointSet<Http1Pool>;
  /** For requests that switch protocols: a connection for each, kept by nobody. */
  readonly upgrades: Upstream;
  readonly limits: HttpLimits;
  readonly headLimits: HeadLimits;
  readonly watch: IdleWatch;
  readonly clock: Clock;
  readonly requestIds: RequestIds;
  /** Carries direction and listener. */
  readonly log: Log;
  readonly observer: HttpObserver;
}
