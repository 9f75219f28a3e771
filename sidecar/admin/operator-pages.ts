/** Which page stands on which of the three ports. What is said on a page is decided where it is made. */

import { jsonPage, type Page, PlainHttpServer, textPage } from '../../shared/http/plain-http-server.ts';
import type { Log } from '../../shared/log/log.ts';
import type { Exposition } from '../../shared/metrics/exposition.ts';
import type { Missing } from '../lifecycle/readiness.ts';
import { type IdentityPageParts, identityPage } from './identity-page.ts';
import { isLoopbackName } from './loopback.ts';

const MOST_SHOWN = 1_000;

export interface AdminParts extends IdentityPageParts {
  /** The configuration in effect as YAML, secrets removed. */
  config(): string | Promise<string>;
  readonly connections: () => Promise<readonly object[]>;
  readonly log: Log;
}

/** Loopback only: the caller has checked the address, here the Host header is. */
export function createAdminServer(parts: AdminParts): PlainHttpServer {
  const { connections, log, config } = parts;
  return new PlainHttpServer({
    name: 'admin',
    log,
    admits: isLoopbackName,
    pages: {
      '/identity': () => identityPage(parts),
      '/config': async () => textPage(200, await config()),
      '/connections': async () => connectionsPage(await connections()),
    },
  });
}

/** The oldest first, and how many there are: all of ten thousand would be megabytes for every look. */
function connectionsPage(all: readonly object[]): Page {
  return jsonPage({ open: all.length, connections: all.slice(0, MOST_SHOWN) });
}

/** `/healthz` says that the process runs, and depends on nothing: an outage elsewhere must restart nobody. */
export function createHealthServer({
  readiness,
  log,
}: {
  readiness: { missing(): Missing[] };
  log: Log;
}): PlainHttpServer {
  return new PlainHttpServer({
    name: 'health',
    log,
    pages: {
      '/healthz': () => textPage(200, 'ok\n'),
      '/readyz': () => {
        const missing = readiness.missing();
        const ready = missing.length === 0;
        return jsonPage({ ready, missing }, ready ? 200 : 503);
      },
    },
  });
}

export function createMetricsServer({ exposition, log }: { exposition: Exposition; log: Log }): PlainHttpServer {
  const metrics = async () => ({ status: 200, ...(await exposition.page()) });
  return new PlainHttpServer({ name: 'metrics', log, pages: { '/metrics': metrics, '/stats/prometheus': metrics } });
}
