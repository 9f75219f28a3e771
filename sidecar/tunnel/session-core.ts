/** What the parts of one session share: its accounts, its writer and its streams. It decides nothing by itself. */
import type { Duplex } from 'node:stream';
import type { Clock } from '../../shared/clock/clock.ts';
import type { Refusal } from '../../shared/errors/refusal.ts';
import { protocolFault } from './error-codes.ts';
import { FloodGuard } from './flood-guard.ts';
import { DEFAULT_WINDOW } from './frame-format.ts';
import { FrameWriter } from './frame-writer.ts';
import { HpackEncoder } from './hpack-encoder.ts';
import type { Field } from './hpack-tables.ts';
import { Inflow } from './inflow.ts';
import { Outflow } from './outflow.ts';
import { Output, type OutputEvents } from './output.ts';
import { ReceiveWindow } from './receive-window.ts';
import type { Session } from './session.ts';
import type { TunnelLimits } from './tunnel-limits.ts';
import { TunnelStream } from './tunnel-stream.ts';

export type Role = 'client' | 'server';

export interface CoreOptions {
  readonly session: Session;
  readonly socket: Duplex;
  readonly role: Role;
  readonly clock: Clock;
  readonly limits: TunnelLimits;
  readonly output: OutputEvents;
  /** A stream no longer counts. */
  onReleased(): void;
}

export class SessionCore {
  readonly session: Session;
  readonly role: Role;
  readonly clock: Clock;
  readonly limits: TunnelLimits;
  readonly output: Output;
  readonly writer: FrameWriter;
  readonly guard: FloodGuard;
  readonly outflow: Outflow;
  readonly inflow: Inflow;
  readonly encoder = new HpackEncoder();
  /** Those that are on the wire. */
  readonly streams = new Map<number, TunnelStream>();
  /** Ended both ways, with bytes that their receivers have not taken yet. */
  readonly lingering = new Set<TunnelStream>();
  /** The peer has acknowledged our SETTINGS. */
  isAcknowledged = false;
  /** Streams that the peer lets us have open. */
  peerStreams: number;
  /** The highest stream of the peer that was looked at: what GOAWAY tells. */
  lastPeerStream = 0;
  /** The highest stream that the peer has opened, also after GOAWAY. */
  highestPeerStream = 0;
  roundTripMs = 0;
  readonly #onReleased: () => void;

  constructor({ session, socket, role, clock, limits, output, onReleased }: CoreOptions) {
    this.session = session;
    this.role = role;
    this.clock = clock;
    this.limits = limits;
    this.peerStreams = limits.streamsBeforeSettings;
    this.output = new Output(socket, limits, output);
    this.writer = new FrameWriter(this.output);
    this.guard = new FloodGuard(clock, limits);
    this.outflow = new Outflow(this.output, this.writer, this.guard);
    this.inflow = new Inflow(this.writer, limits);
    this.#onReleased = onReleased;
  }

  add(id: number): TunnelStream {
    const { windowBytes } = this.limits;
    // RFC 9113 §6.5.3: the peer need not know our window before it has acknowledged it.
    const left = this.isAcknowledged ? windowBytes : DEFAULT_WINDOW;
    const window = new ReceiveWindow(left, windowBytes, this.clock.monotonic());
    const stream = new TunnelStream(this, id, this.outflow.initialWindow, window);
    this.streams.set(id, stream);
    return stream;
  }

  /** RFC 9113 §6.9.2: the change counts for all open streams. */
  acknowledged(): void {
    this.isAcknowledged = true;
    for (const { window } of this.streams.values()) window.left += this.limits.windowBytes - DEFAULT_WINDOW;
  }

  credit(stream: TunnelStream, untaken: number): void {
    const { window } = stream;
    const { windowMostBytes, grownBytes } = this.limits;
    const share = Math.min(windowMostBytes, Math.floor(grownBytes / Math.max(1, this.streams.size)));
    const most = this.inflow.hasPlenty ? share : window.size;
    this.writer.windowUpdate(stream.id, window.credit(untaken, this.clock.monotonic(), this.roundTripMs, most));
  }

  headers(stream: number, fields: readonly Field[], ends: boolean): void {
    this.writer.headers(stream, this.encoder.encode(fields), ends, this.outflow.frameBytes);
  }

  /** RFC 9113 §5.4.2: a fault of one stream. */
  reset(stream: TunnelStream, code: number, why: Refusal): void {
    this.writer.resetStream(stream.id, code);
    stream.fail(why);
  }

  /** RFC 9113 §5.1: frames for a stream that nobody has opened. Those of closed ones are only counted. */
  late(id: number, nextOwnStream: number): void {
    const isOwn = (id & 1) === (this.role === 'client' ? 1 : 0);
    if (isOwn ? id >= nextOwnStream : id > this.highestPeerStream) throw protocolFault(`a frame on idle stream ${id}`);
    this.guard.late.take();
  }

  /** Ended both ways. */
  release(stream: TunnelStream): void {
    if (!this.streams.delete(stream.id)) return;
    this.lingering.add(stream);
    this.#onReleased();
  }

  closed(stream: TunnelStream): void {
    this.lingering.delete(stream);
    if (this.streams.delete(stream.id)) this.#onReleased();
  }
}
