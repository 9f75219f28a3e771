/** Readiness, gauges and the health port over the parts: what an operator and a scraper get to see. Wiring only. */
import { Exposition } from '../shared/metrics/exposition.ts';
import { type Certificate, readCertificate } from '../shared/x509/certificate.ts';
import type { ApiServer } from './api/api-server.ts';
import { HealthServer } from './api/health-server.ts';
import { Readiness } from './api/readiness.ts';
import { type Authority, validityProblem } from './authority/authority.ts';
import type { Parts, Surroundings } from './compose.ts';

export function composeHealth(
  parts: Parts,
  api: ApiServer,
  { clock, log }: Surroundings,
): { health: HealthServer; readiness: Readiness } {
  const { keeper, journal, attestation } = parts;
  const readiness = new Readiness({
    authority: () => validityProblem(keeper.current().validity, clock.now()),
    journal: () => (journal.healthy ? undefined : 'the issuance journal cannot be written'),
    attestation: () => attestation.problem(),
  });
  const beforeScrape = (): void => measure(parts, api, readiness);
  const exposition = new Exposition(parts.metrics.all, { beforeScrape });
  return { health: new HealthServer({ readiness, exposition, log }), readiness };
}

/** Gauges that are derived are set when someone looks. */
function measure(
  { metrics, keeper, journal, watchers, serving, admission }: Parts,
  api: ApiServer,
  readiness: Readiness,
): void {
  const authority = keeper.current();
  metrics.notAfter.set(['intermediate'], authority.issuer.certificate.notAfter / 1000);
  metrics.notAfter.set(['root'], firstRootEnd(authority) / 1000);
  metrics.notAfter.set(['serving'], serving.notAfter / 1000);
  metrics.journalHealthy.set([], journal.healthy ? 1 : 0);
  metrics.inFlight.set([], admission.inFlight);
  metrics.connections.set([], api.connections);
  metrics.watchers.set([], watchers.count);
  metrics.bundleVersion.set([], watchers.version);
  metrics.acknowledgedVersionMin.set([], watchers.lowestAcknowledged());
  metrics.ready.set([], readiness.missing().length === 0 ? 1 : 0);
}

const ROOTS = new WeakMap<Authority, readonly Certificate[]>();

/** Of several roots the one that ends first is the one to act on. */
function firstRootEnd(authority: Authority): number {
  const roots = ROOTS.get(authority) ?? authority.bundle.authorities.map(readCertificate);
  ROOTS.set(authority, roots);
  return Math.min(...roots.map(({ notAfter }) => notAfter));
}
