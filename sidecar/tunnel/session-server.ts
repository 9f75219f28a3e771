/** The server's part of a session (RFC 9113 §8.5): accepts streams within our limit and hands over well-formed CONNECTs. */
import { Refusal } from '../../shared/errors/refusal.ts';
import { H2, protocolFault } from './error-codes.ts';
import { hasPseudoHeaders, readRequest } from './header-rules.ts';
import type { Field } from './hpack-tables.ts';
import type { SessionCore } from './session-core.ts';
import type { TunnelStream } from './tunnel-stream.ts';

export type RefusalStatus = 400 | 401 | 403 | 404 | 405 | 503;

/** A CONNECT that was neither accepted nor refused yet. */
export interface ConnectRequest {
  readonly authority: string;
  /** Without pseudo-headers, in the order in which they came. */
  readonly headers: readonly Field[];
  /** Answers 200. What the peer sent meanwhile comes once the stream has a receiver. */
  accept(extra?: readonly Field[]): TunnelStream;
  refuse(status: RefusalStatus, extra?: readonly Field[]): void;
  /** The peer gave up, or the session ended: answering does nothing any more. */
  readonly isGone: boolean;
  onGone: (() => void) | undefined;
}

export class SessionServer {
  readonly #core: SessionCore;
  readonly #onConnect: (request: ConnectRequest) => void;
  /** RFC 9113 §6.8: after the last GOAWAY new streams are ignored. */
  isShut = false;

  constructor(core: SessionCore, onConnect: ((request: ConnectRequest) => void) | undefined) {
    this.#core = core;
    this.#onConnect = onConnect ?? ((request) => request.refuse(405));
  }

  onHeaders(id: number, fields: readonly Field[], ends: boolean): void {
    const core = this.#core;
    const known = core.streams.get(id);
    if (known !== undefined) return void this.#again(known);
    // RFC 9113 §5.1.1: clients open odd streams, each higher than all before. Only trailers may come later.
    if ((id & 1) === 0) throw protocolFault(`HEADERS on stream ${id}`);
    if (id <= core.highestPeerStream) {
      if (hasPseudoHeaders(fields)) throw protocolFault(`stream ${id} opened again`);
      return void core.guard.late.take();
    }
    core.guard.headers.take();
    core.highestPeerStream = id;
    if (this.isShut) return;
    core.lastPeerStream = id;
    const heading = readRequest(fields);
    if (heading.kind === 'other') return void this.#refuseMethod(id, ends);
    if (heading.kind !== 'connect') return void this.#reset(id, H2.PROTOCOL_ERROR);
    // RFC 9113 §5.1.2.
    if (core.streams.size >= core.limits.streams) return void this.#reset(id, H2.REFUSED_STREAM);
    const stream = core.add(id);
    if (ends) stream.takeEnd();
    this.#onConnect(new IncomingConnect(core, stream, heading.authority, heading.headers));
  }

  /** RFC 9113 §8.5: on a connected stream there are no HEADERS. Before that, §8.1: trailers make no sense either. */
  #again(stream: TunnelStream): void {
    this.#core.guard.resets.take();
    const code = stream.gotEnd ? H2.STREAM_CLOSED : H2.PROTOCOL_ERROR;
    this.#core.reset(stream, code, new Refusal('tunnel_malformed', 'HEADERS on a connected stream'));
  }

  /** What we reset costs us as much as what the peer resets. */
  #reset(id: number, code: number): void {
    this.#core.guard.resets.take();
    this.#core.writer.resetStream(id, code);
  }

  #refuseMethod(id: number, ends: boolean): void {
    this.#core.guard.resets.take();
    refuse(this.#core, id, 405, [['allow', 'CONNECT']], ends);
  }
}

class IncomingConnect implements ConnectRequest {
  readonly authority: string;
  readonly headers: readonly Field[];
  onGone: (() => void) | undefined;
  readonly #core: SessionCore;
  readonly #stream: TunnelStream;
  #isAnswered = false;

  constructor(core: SessionCore, stream: TunnelStream, authority: string, headers: readonly Field[]) {
    this.#core = core;
    this.#stream = stream;
    this.authority = authority;
    this.headers = headers;
    stream.onGone = () => {
      if (!this.#isAnswered) this.onGone?.();
    };
  }

  get isGone(): boolean {
    return this.#stream.isClosed;
  }

  accept(extra: readonly Field[] = []): TunnelStream {
    if (this.#takes()) {
      this.#stream.isConnected = true;
      this.#core.headers(this.#stream.id, [[':status', '200'], ...extra], false);
    }
    return this.#stream;
  }

  refuse(status: RefusalStatus, extra: readonly Field[] = []): void {
    if (!this.#takes()) return;
    refuse(this.#core, this.#stream.id, status, extra, this.#stream.gotEnd);
    this.#stream.fail(undefined);
  }

  #takes(): boolean {
    const isOpen = !this.#isAnswered && !this.isGone;
    this.#isAnswered = true;
    return isOpen;
  }
}

/** RFC 9113 §8.1: after a whole answer a server may ask for no more of the request with NO_ERROR. */
function refuse(core: SessionCore, id: number, status: number, extra: readonly Field[], gotEnd: boolean): void {
  core.headers(id, [[':status', String(status)], ...extra], true);
  if (!gotEnd) core.writer.resetStream(id, H2.NO_ERROR);
}
