/** A server and a client call that look like gRPC on the wire, made with Node's HTTP/2, and what each of them saw. */
import { once } from 'node:events';
import http2, {
  type ClientHttp2Session,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from 'node:http2';
import type { AddressInfo } from 'node:net';

const GRPC = 'application/grpc';

export interface SeenByServer {
  received: number;
  sent: number;
}

export interface GrpcApp {
  readonly port: number;
  /** By request id. */
  readonly seen: ReadonlyMap<string, SeenByServer>;
  readonly sessions: readonly ServerHttp2Session[];
  close(): Promise<void>;
}

/** What the last part of the path asks for. */
type Method = (stream: ServerHttp2Stream, seen: SeenByServer, headers: IncomingHttpHeaders) => void;

const METHODS: Readonly<Record<string, Method>> = {
  /** Answers a message with one twice as long. */
  Unary(stream, seen) {
    stream.on('end', () => answer(stream, seen, Buffer.alloc(2 * seen.received), '0'));
  },
  /** Every message comes back at once. */
  Chat(stream, seen) {
    respond(stream, '0');
    stream.on('data', (bytes: Buffer) => send(stream, seen, bytes));
    stream.on('end', () => stream.end());
  },
  Download(stream, seen) {
    respond(stream, '0');
    for (let left = 50; left > 0; left--) send(stream, seen, Buffer.alloc(20_000));
    stream.end();
  },
  Denied(stream) {
    stream.respond({ ':status': 200, 'content-type': GRPC, 'grpc-status': '7' }, { endStream: true });
  },
  Interim(stream, seen) {
    stream.additionalHeaders({ ':status': 103, link: '</a>' });
    stream.additionalHeaders({ ':status': 100 });
    answer(stream, seen, Buffer.alloc(10), '0');
  },
  /** Trailers of a kind and size of their own. */
  Wordy(stream, seen, headers) {
    stream.respond({ ':status': 200, 'content-type': GRPC, 'x-long': headers['x-long'] }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'x-long': headers['x-long'] }));
    send(stream, seen, Buffer.alloc(5));
    stream.end();
  },
  Push(stream, seen) {
    stream.pushStream({ ':path': '/pushed' }, (_, pushed) => {
      pushed.respond({ ':status': 200, 'x-pushed': 'a field for the table' });
      pushed.end('pushed');
    });
    answer(stream, seen, Buffer.alloc(7), '0');
  },
  Reset: (stream) => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR),
  ResetLate(stream, seen) {
    respond(stream, '0');
    send(stream, seen, Buffer.alloc(100));
    setImmediate(() => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR));
  },
  Hang() {},
  /** An error page of something that does not know gRPC. */
  Page(stream, seen) {
    stream.respond({ ':status': 503, 'content-type': 'text/html' });
    send(stream, seen, Buffer.alloc(33));
    stream.end();
  },
};

export async function startGrpcApp(options: ServerOptions = {}): Promise<GrpcApp> {
  const seen = new Map<string, SeenByServer>();
  const sessions: ServerHttp2Session[] = [];
  const server = http2.createServer(options);
  server.on('session', (session) => {
    sessions.push(session);
    session.on('error', quiet);
  });
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    const mine = { received: 0, sent: 0 };
    seen.set(String(headers['x-request-id']), mine);
    stream.on('error', quiet);
    stream.on('data', (bytes: Buffer) => {
      mine.received += bytes.length;
    });
    METHODS[String(headers[':path']).split('/').at(-1)!.split('?')[0]!]!(stream, mine, headers);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    sessions,
    async close() {
      for (const session of sessions) session.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

export interface SeenByClient {
  /** Undefined when no answer came. */
  status: number | undefined;
  grpcStatus: string | undefined;
  received: number;
  /** The code of a reset or of a broken connection; undefined when the answer came to its end. */
  failure: string | undefined;
}

export interface Asked {
  readonly method: string;
  readonly id: string;
  readonly messages?: readonly number[];
  readonly headers?: OutgoingHttpHeaders;
  readonly type?: string;
}

/** One call, seen to its end. */
export async function call(session: ClientHttp2Session, asked: Asked): Promise<SeenByClient> {
  return await open(session, asked).done;
}

export function open(session: ClientHttp2Session, { method, id, messages = [5], headers, type = GRPC }: Asked) {
  const stream = session.request({
    ':method': 'POST',
    ':path': `/pkg.Service/${method}`,
    'content-type': type,
    te: 'trailers',
    'x-request-id': id,
    ...headers,
  });
  const seen: SeenByClient = { status: undefined, grpcStatus: undefined, received: 0, failure: undefined };
  stream.on('response', (answered) => {
    seen.status = Number(answered[':status']);
    seen.grpcStatus = text(answered['grpc-status']);
  });
  stream.on('trailers', (trailers) => {
    seen.grpcStatus = text(trailers['grpc-status']);
  });
  stream.on('data', (bytes: Buffer) => {
    seen.received += bytes.length;
  });
  stream.on('error', (error: NodeJS.ErrnoException) => {
    seen.failure = error.code ?? error.message;
  });
  for (const size of messages) stream.write(Buffer.alloc(size, 'm'));
  stream.end();
  const done = new Promise<SeenByClient>((resolve) => stream.on('close', () => resolve(seen)));
  return { stream, seen, done };
}

function respond(stream: ServerHttp2Stream, grpcStatus: string): void {
  stream.respond({ ':status': 200, 'content-type': GRPC }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': grpcStatus, 'grpc-message': 'so it is' }));
}

function answer(stream: ServerHttp2Stream, seen: SeenByServer, bytes: Buffer, grpcStatus: string): void {
  respond(stream, grpcStatus);
  send(stream, seen, bytes);
  stream.end();
}

function send(stream: ServerHttp2Stream, seen: SeenByServer, bytes: Buffer): void {
  seen.sent += bytes.length;
  stream.write(bytes);
}

function text(value: string | string[] | undefined): string | undefined {
  return value === undefined ? undefined : String(value);
}

function quiet(): void {
  // Resets on purpose: their other side is looked at.
}
