/** One HTTP request of an app, and everything that a client can see of its answer: interim answers and trailers too. */
import { type Agent, type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';

export interface CallWish {
  readonly port: number;
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent at once; with `write` the test sends the body itself. */
  readonly body?: string | Buffer;
  readonly write?: (call: ClientRequest) => void;
  readonly agent?: Agent;
}

export interface CallAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
  readonly trailers: Readonly<Record<string, string | undefined>>;
  /** Statuses of the interim answers, in order. */
  readonly interim: readonly number[];
}

/** Rejects when the connection ends before the answer does. */
export function httpCall({
  port,
  path,
  method = 'GET',
  headers = {},
  body,
  write,
  agent,
}: CallWish): Promise<CallAnswer> {
  return new Promise((resolve, reject) => {
    const interim: number[] = [];
    const options = { host: '127.0.0.1', port, path, method, headers, ...(agent ? { agent } : { agent: false }) };
    const call = request(options, (answer) => void collected(answer, interim).then(resolve, reject));
    call.on('information', ({ statusCode }) => interim.push(statusCode));
    call.on('error', reject);
    if (write) write(call);
    else call.end(body);
  });
}

async function collected(answer: IncomingMessage, interim: readonly number[]): Promise<CallAnswer> {
  const parts: Buffer[] = [];
  for await (const part of answer) parts.push(part as Buffer);
  const body = Buffer.concat(parts);
  const { statusCode: status = 0, headers, trailers } = answer;
  return { status, headers, body, text: body.toString(), trailers, interim };
}
