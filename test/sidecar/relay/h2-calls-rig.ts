/**
 * HTTP/2 of Node on both sides of a pipe that reads along: what was counted can be compared with what client and
 * server saw, and the bytes can be read again in other pieces. Buffers are lent to the reader and scribbled over.
 */
import { once } from 'node:events';
import http2, { type ClientHttp2Session, type ClientSessionOptions, type ServerOptions } from 'node:http2';
import net, { type AddressInfo, type Socket } from 'node:net';
import { systemClock } from '../../../shared/clock/clock.ts';
import type { H2CallLimits } from '../../../sidecar/relay/h2-call-limits.ts';
import { H2Calls, type LostReason } from '../../../sidecar/relay/h2-calls.ts';
import type { ServedRequest } from '../../../sidecar/telemetry/served-request.ts';
import { type GrpcApp, startGrpcApp } from './h2-calls-app.ts';

export const WHO = { peer: 'spiffe://mesh/ns/a/sa/b', own: 'spiffe://mesh/ns/c/sa/d' };

export interface Piece {
  readonly fromClient: boolean;
  readonly bytes: Buffer;
}

/** H2Calls with what it told. */
export class Counted {
  readonly served: ServedRequest[] = [];
  readonly lost: LostReason[] = [];
  readonly calls: H2Calls;

  constructor(limits?: H2CallLimits) {
    this.calls = new H2Calls({
      clock: systemClock,
      ...(limits && { limits }),
      who: WHO,
      resetCode: 'app_reset',
      served: (call) => this.served.push(call),
      lost: (reason) => this.lost.push(reason),
    });
  }

  /** Lends: the reader finds rubbish in whatever it kept. */
  take({ fromClient, bytes }: Piece): void {
    const lent = Buffer.from(bytes);
    if (fromClient) this.calls.fromClient(lent);
    else this.calls.fromServer(lent);
    lent.fill(0xff);
  }

  of(requestId: string): ServedRequest {
    const found = this.served.filter((one) => one.requestId === requestId);
    if (found.length !== 1) throw new Error(`${found.length} calls ${requestId} of ${JSON.stringify(this.served)}`);
    return found[0]!;
  }
}

/** What must not depend on how the bytes were cut. */
export function withoutTime(served: readonly ServedRequest[]): Omit<ServedRequest, 'durationMs'>[] {
  return served.map(({ durationMs: _, ...rest }) => rest);
}

export interface RigOptions {
  readonly client?: ClientSessionOptions;
  readonly server?: ServerOptions;
  readonly limits?: H2CallLimits;
}

/** One connection from client to app. */
export class Rig implements AsyncDisposable {
  readonly counted: Counted;
  readonly passed: Piece[] = [];
  readonly app: GrpcApp;
  readonly session: ClientHttp2Session;
  readonly #pipe: net.Server;
  readonly #sockets: Socket[] = [];
  readonly #ended = Promise.withResolvers<void>();

  private constructor(app: GrpcApp, pipe: net.Server, { client, limits }: RigOptions) {
    this.counted = new Counted(limits);
    this.app = app;
    this.#pipe = pipe;
    pipe.once('connection', (socket) => this.#carry(socket));
    this.session = http2.connect(`http://127.0.0.1:${(pipe.address() as AddressInfo).port}`, client);
    this.session.on('error', () => {
      // Of connections that are cut on purpose: what the calls saw is looked at.
    });
  }

  static async start(options: RigOptions = {}): Promise<Rig> {
    const app = await startGrpcApp(options.server);
    const pipe = net.createServer().listen(0, '127.0.0.1');
    await once(pipe, 'listening');
    return new Rig(app, pipe, options);
  }

  /** Breaks the connection under its calls. */
  async cut(): Promise<void> {
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await this.#ended.promise;
  }

  /** Lets it end in order, and waits until it was read to the end. */
  async finish(): Promise<void> {
    this.session.close();
    await this.#ended.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.session.destroy();
    for (const socket of this.#sockets) socket.destroy();
    this.#pipe.close();
    await this.app.close();
  }

  #carry(client: Socket): void {
    const server = net.connect({ port: this.app.port, host: '127.0.0.1', noDelay: true });
    client.setNoDelay(true);
    this.#sockets.push(client, server);
    let callerLeft: boolean | undefined;
    const join = (from: Socket, to: Socket, fromClient: boolean): void => {
      from.on('data', (bytes) => {
        const piece = { fromClient, bytes: Buffer.from(bytes) };
        this.passed.push(piece);
        this.counted.take(piece);
        to.write(bytes);
      });
      from.on('error', () => to.destroy());
      from.on('close', () => {
        to.end();
        callerLeft ??= fromClient;
        if (client.closed && server.closed) {
          this.counted.calls.ended(undefined, callerLeft);
          this.#ended.resolve();
        }
      });
    };
    join(client, server, true);
    join(server, client, false);
  }
}
