/**
 * One HTTP/2 session of CONNECT tunnels over one TLS connection (RFC 9113), as client or server. It owns the socket
 * from the first byte to the last and ends exactly once. Whom it speaks to was settled before, by TLS.
 */
import type { Duplex } from 'node:stream';
import type { Clock } from '../../shared/clock/clock.ts';
import { Refusal } from '../../shared/errors/refusal.ts';
import { readLending } from '../channel/shared-reads.ts';
import { Deadlines } from './deadlines.ts';
import { H2, nameOfCode, SessionFault } from './error-codes.ts';
import { MOST_31_BITS, SETTING } from './frame-format.ts';
import { FrameReader } from './frame-reader.ts';
import type { Field } from './hpack-tables.ts';
import { KeepAlive } from './keep-alive.ts';
import { SessionClient } from './session-client.ts';
import { type Role, SessionCore } from './session-core.ts';
import { SessionInput } from './session-input.ts';
import { type ConnectRequest, SessionServer } from './session-server.ts';
import { TUNNEL_LIMITS, type TunnelLimits } from './tunnel-limits.ts';
import type { TunnelStream } from './tunnel-stream.ts';

export interface SessionEvents {
  /** Server: answer now or later. Without it every request is refused. */
  onConnect?(request: ConnectRequest): void;
  /** Client: a stream may be opened again, or the peer has said how many. */
  onRoom?(): void;
  /** A stream is over. Server: one for every `onConnect`. */
  onReleased?(): void;
  /** GOAWAY came or was sent: open nothing here any more. */
  onDraining?(): void;
  /** Our last GOAWAY is out. A server sends it when the peer has read the first one. */
  onLast?(): void;
  /** Once, after every stream was closed. Undefined when it ended in order. */
  onClose(why: Refusal | undefined): void;
}

export interface SessionOptions {
  readonly socket: Duplex;
  readonly role: Role;
  readonly clock: Clock;
  readonly limits?: TunnelLimits;
  readonly events: SessionEvents;
}

export class Session {
  readonly role: Role;
  readonly #socket: Duplex;
  readonly #events: SessionEvents;
  readonly #limits: TunnelLimits;
  readonly #clock: Clock;
  readonly #core: SessionCore;
  readonly #client: SessionClient | undefined;
  readonly #server: SessionServer | undefined;
  readonly #reader: FrameReader;
  readonly #deadlines: Deadlines;
  readonly #keepAlive: KeepAlive;
  readonly #startedAt: number;
  #isDraining = false;
  /** No GOAWAY of ours is still to come: it may end when the last stream has. */
  #hasSaidLast = false;
  #isClosed = false;
  #idleSince: number | undefined;
  #socketError: NodeJS.ErrnoException | undefined;

  constructor({ socket, role, clock, limits = TUNNEL_LIMITS, events }: SessionOptions) {
    this.role = role;
    this.#socket = socket;
    this.#events = events;
    this.#limits = limits;
    this.#clock = clock;
    this.#startedAt = clock.monotonic();
    this.#idleSince = this.#startedAt;
    this.#deadlines = new Deadlines(clock);
    this.#core = new SessionCore({
      session: this,
      socket,
      role,
      clock,
      limits,
      output: { onRoom: () => this.#core.outflow.takeTurns(), onOverflow: () => this.#overflow() },
      onReleased: () => this.#released(),
    });
    this.#keepAlive = new KeepAlive(this.#core, this.#deadlines, () => this.#silent('nothing followed a PING'));
    if (role === 'client') this.#client = new SessionClient(this.#core, this.#deadlines);
    else this.#server = new SessionServer(this.#core, (request) => this.#connect(request));
    this.#reader = new FrameReader(this.#input(), limits.frameBytes, role === 'server');
    this.#begin();
  }

  /** Streams that may be opened now. */
  get room(): number {
    return this.#isDraining || this.#isClosed ? 0 : (this.#client?.room ?? 0);
  }

  get streams(): number {
    return this.#core.streams.size;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** By the monotonic clock; undefined while there are streams. */
  get idleSince(): number | undefined {
    return this.#idleSince;
  }

  get roundTripMs(): number {
    return this.#core.roundTripMs;
  }

  /**
   * Client: resolves when the peer answered 2xx. Beyond the peer's limit it waits its turn, within the time of an open.
   * Rejects with a Refusal; after `tunnel_unprocessed` it may be tried elsewhere.
   */
  open(authority: string, headers: readonly Field[] = [], signal?: AbortSignal): Promise<TunnelStream> {
    if (this.#client === undefined) throw new TypeError('a server opens no tunnels');
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#isDraining || this.#isClosed)
      return Promise.reject(new Refusal('tunnel_unprocessed', 'session at its end'));
    const opened = this.#client.open(authority, headers, signal);
    this.#idleSince = undefined;
    if (this.#client.isUsedUp) this.drain();
    return opened;
  }

  /** Lets the streams finish and ends then (RFC 9113 §6.8). A server goes in two steps, so that no stream is lost under way. */
  drain(): void {
    if (this.#isClosed || this.#hasSaidLast || this.#deadlines.has('goaway')) return;
    const { writer } = this.#core;
    if (this.#server !== undefined) {
      writer.goAway(MOST_31_BITS, H2.NO_ERROR);
      // A round trip later the peer has read it, and no stream is under way any more.
      this.#deadlines.set('goaway', this.#limits.goawayStepMs, () => this.#sayLast());
      this.#keepAlive.ping(() => this.#sayLast());
      return void this.#draining();
    }
    this.#client?.refuseWaiting('the session ends');
    this.#draining();
    this.#sayLast();
  }

  /** Ends everything now. The peer sees that nothing ended in order. */
  cut(why: Refusal): void {
    this.#end(why, H2.NO_ERROR, '');
  }

  #begin(): void {
    const { writer, inflow } = this.#core;
    if (this.role === 'client') writer.preface();
    const { streams, windowBytes, frameBytes, headerListBytes } = this.#limits;
    writer.settings([
      this.role === 'client' ? [SETTING.ENABLE_PUSH, 0] : [SETTING.MAX_CONCURRENT_STREAMS, streams],
      [SETTING.INITIAL_WINDOW_SIZE, windowBytes],
      [SETTING.MAX_FRAME_SIZE, frameBytes],
      [SETTING.MAX_HEADER_LIST_SIZE, headerListBytes],
    ]);
    inflow.begin();
    this.#deadlines.set('settings', this.#limits.settingsMs, () => this.#silent('no SETTINGS, or no answer to ours'));
    this.#socket.on('error', this.#onError).on('end', this.#onEnd).on('close', this.#onEnd);
    readLending(this.#socket, this.#onData);
  }

  readonly #onData = (bytes: Buffer): void => {
    if (this.#isClosed) return;
    this.#keepAlive.heard();
    try {
      this.#reader.push(bytes);
    } catch (error) {
      if (!(error instanceof SessionFault)) throw error;
      this.#end(new Refusal(error.refusal, error.message), error.code, error.message);
    }
  };

  readonly #onError = (error: NodeJS.ErrnoException): void => {
    this.#socketError ??= error;
  };

  /** HTTP/2 has no half-closed connections: when the peer has ended, nothing can be answered any more. */
  readonly #onEnd = (): void => {
    if (this.#isClosed) return void this.#deadlines.clearAll();
    const inOrder = this.#core.streams.size === 0 && this.#socketError === undefined;
    const detail = this.#socketError?.code ?? 'the peer closed the connection';
    this.#close(inOrder ? undefined : new Refusal('tunnel_broken', detail));
    this.#socket.destroy();
    this.#deadlines.clearAll();
  };

  #input(): SessionInput {
    return new SessionInput(this.#core, {
      onHeaders: (stream, fields, ends) => (this.#client ?? this.#server)!.onHeaders(stream, fields, ends),
      onSettings: () => {
        this.#settled();
        this.#hasRoom();
      },
      onAcknowledged: () => this.#settled(),
      onPong: (bytes, from) => this.#keepAlive.answered(bytes, from),
      onGoAway: (lastStream, code) => this.#goAway(lastStream, code),
      nextOwnStream: () => this.#client?.nextStream ?? 0,
    });
  }

  /** Both sides have said their SETTINGS, and ours are acknowledged. */
  #settled(): void {
    if (!this.#core.isAcknowledged || !this.#deadlines.has('settings')) return;
    this.#deadlines.clear('settings');
    this.#keepAlive.begin(this.#clock.monotonic() - this.#startedAt);
  }

  #connect(request: ConnectRequest): void {
    this.#idleSince = undefined;
    if (this.#events.onConnect) this.#events.onConnect(request);
    else request.refuse(405);
  }

  #goAway(lastStream: number, code: number): void {
    this.#client?.onGoAway(lastStream);
    if (this.#isClosed) return;
    this.#draining();
    this.#hasSaidLast ||= this.#client !== undefined;
    if (code !== H2.NO_ERROR) this.#socketError ??= Object.assign(new Error(), { code: `GOAWAY ${nameOfCode(code)}` });
    this.#finishIfEmpty();
  }

  #draining(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.#events.onDraining?.();
  }

  #sayLast(): void {
    if (this.#isClosed || this.#hasSaidLast) return;
    this.#hasSaidLast = true;
    this.#deadlines.clear('goaway');
    if (this.#server) this.#server.isShut = true;
    this.#core.writer.goAway(this.#core.lastPeerStream, H2.NO_ERROR);
    this.#events.onLast?.();
    this.#finishIfEmpty();
  }

  #released(): void {
    this.#events.onReleased?.();
    if (this.#isClosed) return;
    if (this.#core.streams.size === 0) this.#idleSince = this.#clock.monotonic();
    if (this.#isDraining) this.#finishIfEmpty();
    else this.#hasRoom();
  }

  #hasRoom(): void {
    this.#client?.askForWaiting();
    if (this.#core.streams.size > 0) this.#idleSince = undefined;
    if (this.room > 0) this.#events.onRoom?.();
  }

  #finishIfEmpty(): void {
    if (this.#core.streams.size > 0 || !this.#hasSaidLast || this.#isClosed) return;
    this.#leave(undefined);
  }

  #silent(what: string): void {
    this.#end(new Refusal('tunnel_silent', what), H2.SETTINGS_TIMEOUT, what);
  }

  #overflow(): void {
    const what = 'the peer does not read';
    this.#end(new Refusal('tunnel_flooded', what), H2.ENHANCE_YOUR_CALM, what);
  }

  #end(why: Refusal, code: number, words: string): void {
    if (this.#isClosed) return;
    this.#core.writer.goAway(this.#core.lastPeerStream, code, words);
    this.#leave(why);
  }

  /** Sends what is left, and gives the peer a moment to read it. */
  #leave(why: Refusal | undefined): void {
    this.#isClosed = true;
    this.#core.output.flush();
    this.#isClosed = false;
    this.#close(why);
    this.#socket.end();
    this.#deadlines.set('close', this.#limits.closeMs, () => this.#socket.destroy());
  }

  #close(why: Refusal | undefined): void {
    this.#isClosed = this.#isDraining = true;
    this.#reader.stop();
    this.#core.output.close();
    this.#deadlines.clearAll();
    const broken = why ?? new Refusal('tunnel_broken', 'the session ended');
    this.#client?.refuseWaiting(broken.code === 'tunnel_broken' ? broken.detail : broken.message);
    const over = why === undefined || why.code === 'tunnel_broken' ? [] : this.#core.lingering;
    for (const stream of [...this.#core.streams.values(), ...over]) stream.fail(broken);
    this.#events.onClose(why);
  }
}
