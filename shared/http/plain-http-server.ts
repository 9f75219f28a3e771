/**
 * A small HTTP server for operators, probes and scrapers: GET and HEAD on a fixed table of pages, bounded in header,
 * time and connections. It takes no input beyond the path, and never shows a key or a token.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Log } from '../log/log.ts';
import { type ListenAddress, listen } from '../process/listen-address.ts';

export interface Page {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export type Pages = Readonly<Record<string, () => Page | Promise<Page>>>;

export interface PlainHttpServerOptions {
  /** For the log: `admin`, `health` or `metrics`. */
  readonly name: string;
  readonly pages: Pages;
  readonly log: Log;
  /** How long a reader may take nothing of its answer, which waits in memory meanwhile. Milliseconds. */
  readonly stallMs?: number;
  /** Whether a request may be answered, by its Host header. Default: every one. */
  readonly admits?: (host: string | undefined) => boolean;
}

const MOST_CONNECTIONS = 256;
/** More are not kept after their answer: a probe that finds no place would restart a healthy pod. */
const MOST_KEPT = MOST_CONNECTIONS / 2;
const STALL_MS = 15_000;
const MOST_HEADER_BYTES = 8192;

export class PlainHttpServer {
  readonly #options: PlainHttpServerOptions;
  readonly #server: Server;
  #open = 0;

  constructor(options: PlainHttpServerOptions) {
    this.#options = options;
    this.#server = createServer({
      maxHeaderSize: MOST_HEADER_BYTES,
      headersTimeout: 5_000,
      requestTimeout: 10_000,
      keepAliveTimeout: 60_000,
      connectionsCheckingInterval: 1_000,
    });
    this.#server.maxConnections = MOST_CONNECTIONS;
    this.#server.timeout = options.stallMs ?? STALL_MS;
    this.#server.on('connection', (socket) => {
      this.#open++;
      socket.once('close', () => this.#open--);
    });
    this.#server.on('request', (request, response) => void this.#answer(request, response));
  }

  /** Open connections. */
  get connections(): number {
    return this.#open;
  }

  /** @throws {Refusal} address_in_use, address_unusable */
  async listen(address: string): Promise<ListenAddress> {
    const bound = await listen(this.#server, address);
    this.#server.on('error', (error) =>
      this.#options.log.error('listener_failed', { listener: this.#options.name, reason: error.message }),
    );
    return bound;
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume();
    const { status, contentType, body } = await this.#pageFor(request);
    response.writeHead(status, {
      'content-type': contentType,
      'content-length': Buffer.byteLength(body),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...(this.#open > MOST_KEPT ? { connection: 'close' } : {}),
      ...(status === 405 ? { allow: 'GET, HEAD' } : {}),
    });
    response.end(body); // node:http sends no body in answer to HEAD
  }

  async #pageFor({ method, url = '', headers }: IncomingMessage): Promise<Page> {
    const { pages, admits = () => true, name, log } = this.#options;
    if (!admits(headers.host)) return textPage(421, 'this port answers to loopback names only\n');
    if (method !== 'GET' && method !== 'HEAD') return textPage(405, 'GET and HEAD only\n');
    const path = url.split('?')[0] ?? '';
    const page = Object.hasOwn(pages, path) ? pages[path] : undefined;
    if (!page) return textPage(404, `here are ${Object.keys(pages).join(', ')}\n`);
    try {
      return await page();
    } catch (error) {
      log.error('page_failed', { server: name, path, error: error instanceof Error ? error.message : String(error) });
      return textPage(500, 'the page could not be made; see the log\n');
    }
  }
}

export function textPage(status: number, body: string): Page {
  return { status, contentType: 'text/plain; charset=utf-8', body };
}

export function jsonPage(value: unknown, status = 200): Page {
  return { status, contentType: 'application/json', body: `${JSON.stringify(value, null, 2)}\n` };
}
