/**
 * An app that uses what HTTP/1.1 has, one thing per path. It is plain node:http: what a caller sees of it through two
 * sidecars is what it would see without them.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type App, httpApp } from './app-server.ts';

export interface FeaturedApp extends App<Server> {
  /** Paths of all requests, as they came. */
  readonly asked: string[];
  /** Paths of requests that broke off before their answer was complete. */
  readonly broken: string[];
  /** Connections that requests came by. */
  readonly connections: Set<Socket>;
  /** Bodies of `/gated` are read only after it. */
  openGate(): void;
}

export const PIECE: Buffer = Buffer.alloc(65_536, 'sallyport ');
export const PIECES = 1024;

type Answers = Readonly<Record<string, (request: IncomingMessage, response: ServerResponse) => void>>;

export async function featuredApp(): Promise<FeaturedApp> {
  const asked: string[] = [];
  const broken: string[] = [];
  const connections = new Set<Socket>();
  const gate = Promise.withResolvers<void>();
  const answers: Answers = { ...ANSWERS, '/gated': (...both) => void gate.promise.then(() => sha256(...both)) };
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const path = request.url ?? '';
    asked.push(path);
    connections.add(request.socket);
    response.on('close', () => {
      if (!response.writableFinished) broken.push(path);
    });
    const status = /^\/status\/(\d{3})$/.exec(path)?.[1];
    if (status) response.writeHead(Number(status), { etag: '"1"' }).end();
    else answers[path]!(request, response);
  };
  const app = await httpApp(answer, (server) => {
    server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      if (request.url === '/unwanted') return void response.writeHead(417).end('unwanted');
      response.writeContinue();
      answer(request, response);
    });
    server.on('upgrade', onUpgrade);
  });
  return Object.assign(app, { asked, broken, connections, openGate: gate.resolve });
}

const ANSWERS: Answers = {
  '/echo': (request, response) => {
    const { 'content-length': length, 'content-type': type } = request.headers;
    response.setHeader('x-framing', length === undefined ? 'chunked' : 'length');
    if (type !== undefined) response.setHeader('content-type', type);
    if (length !== undefined) response.setHeader('content-length', length);
    else response.setHeader('trailer', 'x-checksum');
    request.on('data', (part) => response.write(part));
    request.on('end', () => {
      const sum = request.trailers['x-checksum'];
      if (sum !== undefined) response.addTrailers({ 'x-checksum': sum });
      response.end();
    });
  },
  '/who': (request, response) => void response.end(request.headers['x-forwarded-client-cert']),
  '/hints': (_request, response) => {
    response.writeEarlyHints({ link: '</style.css>; rel=preload' }, () => response.end('hinted'));
  },
  '/early': (_request, response) => void response.end('early'),
  '/wait': (request) => void request.resume(),
  '/half': (_request, response) => breakOff(response.writeHead(200, { 'content-length': 10 })),
  '/half-chunked': (_request, response) => breakOff(response.writeHead(200)),
  '/endless': (_request, response) => {
    const more = (): void => {
      while (response.write(PIECE)); // until the caller does not keep up
    };
    response.on('drain', more);
    more();
  },
  '/large': (_request, response) => {
    response.setHeader('content-length', PIECE.length * PIECES);
    let sent = 0;
    const more = (): void => {
      while (sent < PIECES) {
        sent++;
        if (!response.write(PIECE)) return;
      }
      response.end();
    };
    response.on('drain', more);
    more();
  },
  '/sha256': sha256,
};

function sha256(request: IncomingMessage, response: ServerResponse): void {
  const sum = createHash('sha256');
  request.on('data', (part: Buffer) => sum.update(part)).on('end', () => response.end(sum.digest('hex')));
}

function breakOff(response: ServerResponse): void {
  response.write('half', () => response.socket?.resetAndDestroy());
}

/** RFC 6455 §4.2.2: the answer to the key. */
function onUpgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
  socket.on('error', () => socket.destroy());
  if (request.url !== '/socket') {
    socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nX-Why: closed\r\n\r\nno');
    return;
  }
  const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  const accept = createHash('sha1').update(key).digest('base64');
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  socket.write(textFrame('welcome'));
  let rest = head;
  const read = (part: Buffer): void => {
    rest = Buffer.concat([rest, part]);
    for (let frame = maskedFrame(rest); frame; frame = maskedFrame(rest)) {
      rest = rest.subarray(frame.bytes);
      socket.write(textFrame(`echo ${frame.text}`));
    }
  };
  read(Buffer.alloc(0));
  socket.on('data', read).on('end', () => socket.end(textFrame('bye')));
}

/** RFC 6455 §5.2: a short unmasked text frame, as servers send. */
function textFrame(text: string): Buffer {
  return Buffer.concat([Buffer.from([0x81, text.length]), Buffer.from(text)]);
}

/** A short masked text frame, as clients send. */
export function clientFrame(text: string): Buffer {
  const mask = Buffer.from([1, 2, 3, 4]);
  const masked = Buffer.from(text).map((byte, at) => byte ^ mask[at % 4]!);
  return Buffer.concat([Buffer.from([0x81, 0x80 | text.length]), mask, masked]);
}

function maskedFrame(from: Buffer): { text: string; bytes: number } | undefined {
  if (from.length < 6) return undefined;
  const bytes = 6 + (from[1]! & 0x7f);
  if (from.length < bytes) return undefined;
  const mask = from.subarray(2, 6);
  return {
    bytes,
    text: from
      .subarray(6, bytes)
      .map((byte, at) => byte ^ mask[at % 4]!)
      .toString(),
  };
}
