/**
 * Health and metrics on their own port, plain HTTP, for kubelet and Prometheus. It shows no secret and takes no
 * input. `/healthz` says that the process runs; it never depends on others, so an outage elsewhere restarts nobody.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Log } from '../../shared/log/log.ts';
import type { Exposition } from '../../shared/metrics/exposition.ts';
import { type ListenAddress, listen } from '../../shared/process/listen-address.ts';
import type { Readiness } from './readiness.ts';

export interface HealthServerOptions {
  readonly readiness: Readiness;
  readonly exposition: Exposition;
  readonly log: Log;
}

interface Page {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

const MOST_CONNECTIONS = 256;

export class HealthServer {
  readonly #options: HealthServerOptions;
  readonly #server: Server;

  constructor(options: HealthServerOptions) {
    this.#options = options;
    this.#server = createServer({
      maxHeaderSize: 8192,
      headersTimeout: 5_000,
      requestTimeout: 10_000,
      keepAliveTimeout: 60_000,
      connectionsCheckingInterval: 1_000,
    });
    this.#server.maxConnections = MOST_CONNECTIONS;
    this.#server.on('request', (request, response) => void this.#answer(request, response));
  }

  listen(address: string): Promise<ListenAddress> {
    return listen(this.#server, address);
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume();
    const { status, contentType, body } = await this.#pageOf(request);
    response.writeHead(status, {
      'content-type': contentType,
      'content-length': Buffer.byteLength(body),
      'cache-control': 'no-store',
      ...(status === 405 ? { allow: 'GET, HEAD' } : {}),
    });
    response.end(body);
  }

  async #pageOf({ method, url = '' }: IncomingMessage): Promise<Page> {
    if (method !== 'GET' && method !== 'HEAD') return text(405, 'GET and HEAD only\n');
    const path = url.split('?')[0];
    if (path === '/healthz' || path === '/livez') return text(200, 'ok\n');
    if (path === '/readyz') return this.#readiness();
    if (path === '/metrics') return this.#metrics();
    return text(404, '/healthz, /readyz and /metrics are here\n');
  }

  #readiness(): Page {
    const missing = this.#options.readiness.missing();
    const ready = missing.length === 0;
    return {
      status: ready ? 200 : 503,
      contentType: 'application/json',
      body: `${JSON.stringify({ ready, missing })}\n`,
    };
  }

  async #metrics(): Promise<Page> {
    try {
      return { status: 200, ...(await this.#options.exposition.page()) };
    } catch (error) {
      this.#options.log.error('metrics_failed', { error: error instanceof Error ? error.message : String(error) });
      return text(500, 'the metrics could not be rendered; see the log\n');
    }
  }
}

function text(status: number, body: string): Page {
  return { status, contentType: 'text/plain; charset=utf-8', body };
}
