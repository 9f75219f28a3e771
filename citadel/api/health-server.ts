/**
 * Health and metrics on their own port, plain HTTP, for kubelet and Prometheus. It shows no secret and takes no
 * input. `/healthz` says that the process runs; it never depends on others, so an outage elsewhere restarts nobody.
 */
import { jsonPage, type Page, PlainHttpServer, textPage } from '../../shared/http/plain-http-server.ts';
import type { Log } from '../../shared/log/log.ts';
import type { Exposition } from '../../shared/metrics/exposition.ts';
import type { Readiness } from './readiness.ts';

export interface HealthServerOptions {
  readonly readiness: Readiness;
  readonly exposition: Exposition;
  readonly log: Log;
}

export class HealthServer extends PlainHttpServer {
  constructor({ readiness, exposition, log }: HealthServerOptions) {
    const alive = (): Page => textPage(200, 'ok\n');
    super({
      name: 'health',
      log,
      pages: {
        '/healthz': alive,
        '/livez': alive,
        '/readyz': () => readinessPage(readiness),
        '/metrics': async () => ({ status: 200, ...(await exposition.page()) }),
      },
    });
  }
}

function readinessPage(readiness: Readiness): Page {
  const missing = readiness.missing();
  const ready = missing.length === 0;
  return jsonPage({ ready, missing }, ready ? 200 : 503);
}
