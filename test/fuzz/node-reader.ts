/**
 * Node's own HTTP/1.1 server and client, strict as they come, reading bytes from a connection in memory: the second
 * opinion on what they mean.
 */
import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { forwardedLines } from './forwarded-lines.ts';
import { linesOf, type Reading, type ReadMessage } from './reading.ts';

const TURNS = 4;

/** Fills in as the message comes. */
interface Growing {
  readonly message: IncomingMessage;
  readonly keepAlive: () => boolean | undefined;
  body: string;
  whole: boolean;
}

export class NodeServerReader {
  readonly #server: Server;
  readonly #seen = new WeakMap<object, { growing: Growing[]; refused: string | undefined }>();

  constructor() {
    const onRequest = (message: IncomingMessage, response: ServerResponse): void => {
      this.#of(message.socket).growing.push(grow(message, () => response.shouldKeepAlive));
    };
    this.#server = createServer({ maxHeaderSize: 16_384 }, onRequest);
    this.#server.keepAliveTimeout = 0;
    this.#server.maxHeadersCount = 0;
    this.#server.on('checkContinue', onRequest).on('checkExpectation', onRequest);
    this.#server.on('connect', (message: IncomingMessage, socket: Duplex) => {
      this.#of(socket).growing.push({ message, keepAlive: () => undefined, body: '', whole: true });
    });
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      this.#of(socket).refused ??= error.code ?? error.message;
    });
  }

  async read(bytes: Buffer): Promise<Reading> {
    const [near, far] = duplexPair();
    const seen = { growing: [] as Growing[], refused: undefined as string | undefined };
    this.#seen.set(far, seen);
    far.on('error', () => {}); // what a torn connection says is no reading
    near.on('error', () => {}); // nor this
    this.#server.emit('connection', far as unknown as Socket);
    near.resume();
    near.write(bytes);
    await turns();
    const messages = seen.growing.map((one) => requestOf(one));
    const { refused } = seen;
    near.destroy();
    far.destroy();
    return { messages, refused };
  }

  [Symbol.dispose](): void {
    this.#server.close();
  }

  #of(socket: object): { growing: Growing[]; refused: string | undefined } {
    const seen = this.#seen.get(socket);
    if (!seen) throw new Error('a connection that nobody opened');
    return seen;
  }
}

/** What Node's client makes of an answer to `method`. */
export async function readAnswerWithNode(bytes: Buffer, method: string): Promise<Reading> {
  const [near, far] = duplexPair();
  const messages: ReadMessage[] = [];
  let refused: string | undefined;
  let final: Growing | undefined;
  far.on('error', () => {}); // what a torn connection says is no reading
  far.resume();
  const agent = new Agent({ keepAlive: true });
  // What an agent asks of a socket that it keeps.
  const socket = Object.assign(near, { setKeepAlive() {}, setTimeout() {}, setNoDelay() {}, ref() {}, unref() {} });
  agent.createConnection = () => socket;
  const call = request({ agent, method, host: 'a', path: '/', maxHeaderSize: 16_384 });
  call.maxHeadersCount = 0;
  call.on('information', (answer) => {
    const { statusCode, rawHeaders } = answer;
    const minor = answer.httpVersionMinor as 0 | 1;
    messages.push({
      start: `${statusCode} 1.${minor}`,
      fields: forwardedLines(rawHeaders, { minor, status: statusCode }),
      body: '',
      trailers: [],
      whole: true,
      keepAlive: undefined,
    });
  });
  // As it is told; afterwards Node closes on what comes behind an answer.
  call.on('response', (answer) => {
    // Of an answer to HEAD Node decides before it knows that no body follows.
    const keepAlive = method === 'HEAD' ? undefined : call.shouldKeepAlive;
    final = grow(answer, () => keepAlive);
  });
  call.on('upgrade', (answer) => {
    final = { message: answer, keepAlive: () => undefined, body: '', whole: true };
  });
  call.on('error', (error: NodeJS.ErrnoException) => {
    refused ??= error.code ?? error.message;
  });
  call.end();
  await turns();
  far.write(bytes);
  far.end();
  await turns();
  if (final) messages.push(answerOf(final));
  call.destroy();
  near.destroy();
  far.destroy();
  agent.destroy();
  return { messages, refused };
}

function grow(message: IncomingMessage, keepAlive: () => boolean | undefined): Growing {
  const growing: Growing = { message, keepAlive, body: '', whole: false };
  message.on('data', (part: Buffer) => {
    growing.body += part.toString('latin1');
  });
  message.on('end', () => {
    growing.whole = message.complete;
  });
  message.on('error', () => {}); // an end that never came is seen by `whole`
  return growing;
}

function requestOf({ message, keepAlive, body, whole }: Growing): ReadMessage {
  const { method, url, rawHeaders, rawTrailers } = message;
  const minor = message.httpVersionMinor as 0 | 1;
  return {
    start: `${method} ${url} 1.${minor}`,
    fields: forwardedLines(rawHeaders, { minor, status: 0 }),
    body,
    trailers: linesOf(rawTrailers),
    whole,
    keepAlive: keepAlive(),
  };
}

function answerOf({ message, keepAlive, body, whole }: Growing): ReadMessage {
  const { statusCode = 0, rawHeaders, rawTrailers } = message;
  const minor = message.httpVersionMinor as 0 | 1;
  return {
    start: `${statusCode} 1.${minor}`,
    fields: forwardedLines(rawHeaders, { minor, status: statusCode }),
    body,
    trailers: linesOf(rawTrailers),
    whole,
    keepAlive: keepAlive(),
  };
}

/** Nothing here waits for a timer or a file: a few turns of the event loop carry every byte to its end. */
async function turns(): Promise<void> {
  for (let at = 0; at < TURNS; at++) await new Promise(setImmediate);
}
