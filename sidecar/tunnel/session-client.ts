/** The client's part of a session (RFC 9113 §8.5): asks for streams within the peer's limit and reads the answers. */
import { Refusal } from '../../shared/errors/refusal.ts';
import type { Deadlines } from './deadlines.ts';
import { H2, protocolFault } from './error-codes.ts';
import { MOST_31_BITS } from './frame-format.ts';
import { readAnswer } from './header-rules.ts';
import type { Field } from './hpack-tables.ts';
import { type Opening, OpeningQueue } from './opening-queue.ts';
import type { SessionCore } from './session-core.ts';
import { TunnelRefusal } from './tunnel-refusal.ts';
import type { TunnelStream } from './tunnel-stream.ts';

export class SessionClient {
  readonly #core: SessionCore;
  readonly #queue: OpeningQueue;
  /** By stream, once asked for. */
  readonly #asked = new WeakMap<TunnelStream, Opening>();
  #nextStream = 1;

  constructor(core: SessionCore, deadlines: Deadlines) {
    this.#core = core;
    const now = () => core.clock.monotonic();
    this.#queue = new OpeningQueue(deadlines, now, core.limits.openMs, ({ stream }, why) => {
      const reason = why instanceof Refusal ? why : new Refusal('tunnel_broken', 'given up');
      core.reset(stream!, H2.CANCEL, reason);
    });
  }

  get nextStream(): number {
    return this.#nextStream;
  }

  /** RFC 9113 §5.1.1: stream ids are not used again; without one left a new session is needed. */
  get isUsedUp(): boolean {
    return this.#nextStream > MOST_31_BITS;
  }

  get room(): number {
    if (this.isUsedUp) return 0;
    // RFC 9113 §5.1.2: both open and half-closed streams count.
    return Math.max(0, this.#core.peerStreams - this.#core.streams.size - this.#queue.waiting);
  }

  open(authority: string, headers: readonly Field[], signal: AbortSignal | undefined): Promise<TunnelStream> {
    const opened = this.#queue.add(authority, headers, signal);
    this.askForWaiting();
    return opened;
  }

  askForWaiting(): void {
    while (this.#queue.waiting > 0 && this.#core.streams.size < this.#core.peerStreams && !this.isUsedUp) {
      this.#ask(this.#queue.next()!);
    }
    if (this.isUsedUp) this.refuseWaiting('no stream ids are left');
  }

  refuseWaiting(why: string): void {
    this.#queue.refuseWaiting(new Refusal('tunnel_unprocessed', why));
  }

  onHeaders(id: number, fields: readonly Field[], ends: boolean): void {
    // RFC 9113 §5.1.1, §8.4: a server opens no stream; we switched pushing off.
    if ((id & 1) === 0) throw protocolFault(`HEADERS on stream ${id}`);
    const stream = this.#core.streams.get(id);
    if (stream === undefined) return void this.#core.late(id, this.#nextStream);
    const heading = readAnswer(fields);
    if (heading.kind !== 'answer' || stream.isConnected || stream.gotEnd) {
      // RFC 9113 §8.5: on a connected stream there are no HEADERS, not even trailers.
      const why = heading.kind === 'malformed' && !stream.isConnected ? heading.why : 'HEADERS on a connected stream';
      return void this.#core.reset(stream, H2.PROTOCOL_ERROR, new Refusal('tunnel_malformed', why));
    }
    this.#answer(stream, heading.status, ends);
  }

  /** RFC 9113 §6.8: streams above the last one were not and will not be processed. */
  onGoAway(lastStream: number): void {
    this.refuseWaiting('the peer sent GOAWAY');
    for (const stream of [...this.#core.streams.values()]) {
      if (stream.id <= lastStream) continue;
      stream.fail(new Refusal(stream.isConnected ? 'tunnel_broken' : 'tunnel_unprocessed', 'the peer sent GOAWAY'));
    }
  }

  #ask(opening: Opening): void {
    const stream = this.#core.add(this.#nextStream);
    this.#nextStream += 2;
    opening.stream = stream;
    this.#asked.set(stream, opening);
    stream.onGone = (why) => opening.reject(why ?? new Refusal('tunnel_broken', 'ended before it was answered'));
    const head: Field[] = [
      [':method', 'CONNECT'],
      [':authority', opening.authority],
    ];
    this.#core.headers(stream.id, [...head, ...opening.headers], false);
  }

  #answer(stream: TunnelStream, status: number, ends: boolean): void {
    if (status < 200) {
      // RFC 9113 §8.1: interim answers do not end a stream. They are not counted: HEADERS frames are.
      if (!ends) return void this.#core.guard.headers.take();
      return void this.#core.reset(
        stream,
        H2.PROTOCOL_ERROR,
        new Refusal('tunnel_malformed', 'ended by an interim answer'),
      );
    }
    if (status > 299) return void this.#core.reset(stream, H2.CANCEL, new TunnelRefusal(status));
    stream.isConnected = true;
    stream.onGone = undefined;
    const opening = this.#asked.get(stream);
    // A stream may live for days: what was only needed to open it, the caller's signal too, must not.
    this.#asked.delete(stream);
    opening?.resolve(stream);
    if (ends) stream.takeEnd();
  }
}
