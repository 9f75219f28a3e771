/**
 * A caller of citadel's API with nothing of ours in it but types: node:https, so that a test sees what any
 * client would see. It can send deliberately wrong things.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';

export interface ApiAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Parsed body; undefined when it is not JSON. */
  readonly json: Record<string, unknown> | undefined;
}

export interface ApiCall {
  readonly method?: string;
  readonly path: string;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer | object;
  /** Address to call from, to appear as another machine: any of 127.0.0.0/8. */
  readonly from?: string;
}

export class CitadelClient {
  readonly #agent: Agent;
  readonly #port: number;

  constructor({ port, ca, sockets = 64 }: { port: number; ca: string | Buffer; sockets?: number }) {
    this.#port = port;
    this.#agent = new Agent({ ca, keepAlive: true, maxSockets: sockets, maxCachedSessions: 0 });
  }

  call({ method = 'GET', path, token, headers = {}, body, from }: ApiCall): Promise<ApiAnswer> {
    const payload =
      body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const sent: Record<string, string | number> = { ...headers };
    if (token !== undefined) sent['authorization'] = `Bearer ${token}`;
    if (payload !== undefined) {
      sent['content-type'] ??= 'application/json';
      sent['content-length'] ??= Buffer.byteLength(payload);
    }
    return new Promise((resolve, reject) => {
      const options = {
        host: '127.0.0.1',
        port: this.#port,
        agent: this.#agent,
        method,
        path,
        headers: sent,
        ...(from ? { localAddress: from } : {}),
      };
      const call = request(options, (response) => void collect(response).then(resolve, reject));
      call.on('error', reject);
      call.end(payload);
    });
  }

  /** `POST /v1/certificates` */
  certificate(token: string, csr: string, more: { ttlSeconds?: number; from?: string } = {}): Promise<ApiAnswer> {
    const { ttlSeconds, from } = more;
    const body = { csr, ...(ttlSeconds === undefined ? {} : { ttlSeconds }) };
    return this.call({ method: 'POST', path: '/v1/certificates', token, body, ...(from ? { from } : {}) });
  }

  close(): void {
    this.#agent.destroy();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The refusal code in an answer, or its status when it carries none. */
export function codeOf(answer: ApiAnswer): string {
  return typeof answer.json?.['code'] === 'string' ? answer.json['code'] : `status ${answer.status}`;
}

async function collect(response: IncomingMessage): Promise<ApiAnswer> {
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part as Buffer);
  const text = Buffer.concat(parts).toString();
  return { status: response.statusCode ?? 0, headers: response.headers, text, json: parsed(text) };
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined; // not JSON is a fact that the test may want to see
  }
}
