/**
 * What each frame of the peer means for the session and its streams (RFC 9113 §6). Faults of the connection are thrown,
 * faults of a stream reset it. DATA passes through here on its way to its stream.
 */
import { Refusal } from '../../shared/errors/refusal.ts';
import { H2, protocolFault } from './error-codes.ts';
import { FLAG, FRAME, MOST_31_BITS } from './frame-format.ts';
import type { FrameSink } from './frame-reader.ts';
import { HeaderBlocks } from './header-blocks.ts';
import type { Field } from './hpack-tables.ts';
import { applySettings } from './peer-settings.ts';
import type { SessionCore } from './session-core.ts';
import type { TunnelStream } from './tunnel-stream.ts';

/** What the session does about frames of the connection. */
export interface InputEvents {
  /** A complete header block. */
  onHeaders(stream: number, fields: readonly Field[], ends: boolean): void;
  onSettings(): void;
  onAcknowledged(): void;
  /** @returns whether we had asked */
  onPong(bytes: Buffer, from: number): boolean;
  onGoAway(lastStream: number, code: number): void;
  /** Lowest id that we have not used. */
  nextOwnStream(): number;
}

export class SessionInput implements FrameSink {
  readonly #core: SessionCore;
  readonly #events: InputEvents;
  readonly #blocks: HeaderBlocks;
  /** Whose DATA is arriving. */
  #stream: TunnelStream | undefined;
  #lastGoAway = MOST_31_BITS;

  constructor(core: SessionCore, events: InputEvents) {
    this.#core = core;
    this.#events = events;
    this.#blocks = new HeaderBlocks(core.limits);
  }

  onDataHead(id: number, flags: number, length: number): boolean {
    const core = this.#core;
    core.inflow.spend(length);
    const ends = (flags & FLAG.END_STREAM) !== 0;
    if (length === 0 && !ends) core.guard.emptyData.take();
    const stream = core.streams.get(id);
    if (stream === undefined) {
      core.late(id, this.#events.nextOwnStream());
      return false;
    }
    this.#stream = stream;
    // RFC 9113 §5.1: half-closed (remote).
    if (stream.gotEnd) return this.#fault(stream, H2.STREAM_CLOSED, 'DATA after END_STREAM');
    // RFC 9113 §6.9.1.
    if (!stream.window.spend(length)) return this.#fault(stream, H2.FLOW_CONTROL_ERROR, 'more DATA than its window');
    // RFC 9113 §8.1: an answer begins with HEADERS. A client may send before it is accepted; that waits.
    if (!stream.isConnected && core.role === 'client') {
      return this.#fault(stream, H2.PROTOCOL_ERROR, 'DATA before an answer');
    }
    return true;
  }

  onDataBytes(bytes: Buffer, more: boolean): void {
    const stream = this.#stream!;
    if (!stream.isClosed) stream.takeBytes(bytes, more);
  }

  onDataEnd(flags: number): void {
    const stream = this.#stream!;
    if ((flags & FLAG.END_STREAM) !== 0 && !stream.isClosed) stream.takeEnd();
  }

  onUnknown(): void {
    this.#core.guard.ignored.take();
  }

  onFrame(type: number, flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    switch (type) {
      case FRAME.HEADERS:
      case FRAME.CONTINUATION:
        return void this.#headers(type, flags, id, bytes, from, to);
      case FRAME.WINDOW_UPDATE:
        return void this.#windowUpdate(id, bytes.readUInt32BE(from) & MOST_31_BITS);
      case FRAME.RST_STREAM:
        return void this.#resetStream(id, bytes.readUInt32BE(from));
      case FRAME.SETTINGS:
        return void this.#settings(flags, bytes, from, to);
      case FRAME.PING:
        return void this.#ping(flags, bytes, from);
      case FRAME.GOAWAY:
        return void this.#goAway(bytes.readUInt32BE(from) & MOST_31_BITS, bytes.readUInt32BE(from + 4));
      case FRAME.PUSH_PROMISE:
        // RFC 9113 §6.6, §8.4: we announced that we take none; a client must never send one.
        throw protocolFault('PUSH_PROMISE');
      default:
        // RFC 9113 §5.3.2: PRIORITY is deprecated and ignored.
        this.#core.guard.ignored.take();
    }
  }

  #headers(type: number, flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    const block = this.#blocks.push(type, flags, bytes, from, to);
    if (block !== undefined) this.#events.onHeaders(id, block.fields, block.ends);
  }

  /** RFC 9113 §6.9. */
  #windowUpdate(id: number, increment: number): void {
    const core = this.#core;
    core.guard.windowUpdate();
    if (id === 0) {
      if (increment === 0) throw protocolFault('WINDOW_UPDATE of 0');
      return void core.outflow.widen(increment);
    }
    const stream = core.streams.get(id);
    if (stream === undefined) return void this.#late(id);
    if (increment === 0) return void this.#fault(stream, H2.PROTOCOL_ERROR, 'WINDOW_UPDATE of 0');
    stream.sendWindow += increment;
    // RFC 9113 §6.9.1.
    if (stream.sendWindow > MOST_31_BITS) {
      return void this.#fault(stream, H2.FLOW_CONTROL_ERROR, 'its window overflows');
    }
    core.outflow.enqueue(stream);
    core.outflow.takeTurns();
  }

  /** RFC 9113 §6.4. */
  #resetStream(id: number, code: number): void {
    this.#core.guard.resets.take();
    const stream = this.#core.streams.get(id);
    if (stream === undefined) return void this.#late(id);
    stream.takeReset(code);
  }

  /** RFC 9113 §6.5. */
  #settings(flags: number, bytes: Buffer, from: number, to: number): void {
    const core = this.#core;
    if ((flags & FLAG.ACK) !== 0) {
      if (core.isAcknowledged) return void core.guard.settings.take();
      core.acknowledged();
      return void this.#events.onAcknowledged();
    }
    core.guard.settings.take();
    applySettings(core, bytes, from, to);
    // RFC 9113 §6.5.3: acknowledged at once, after all values count.
    core.writer.settingsAck();
    core.outflow.takeTurns();
    this.#events.onSettings();
  }

  /** RFC 9113 §6.7. */
  #ping(flags: number, bytes: Buffer, from: number): void {
    const isAck = (flags & FLAG.ACK) !== 0;
    if (isAck && this.#events.onPong(bytes, from)) return;
    this.#core.guard.pings.take();
    if (!isAck) this.#core.writer.ping(bytes, from, true);
  }

  /** RFC 9113 §6.8: the last stream id may only go down. */
  #goAway(lastStream: number, code: number): void {
    this.#core.guard.ignored.take();
    if (lastStream > this.#lastGoAway) throw protocolFault('GOAWAY with a higher stream than before');
    this.#lastGoAway = lastStream;
    this.#events.onGoAway(lastStream, code);
  }

  #late(id: number): void {
    this.#core.late(id, this.#events.nextOwnStream());
  }

  /** @returns false: what the frame carries is not wanted */
  #fault(stream: TunnelStream, code: number, what: string): false {
    this.#core.guard.resets.take();
    this.#core.reset(stream, code, new Refusal('tunnel_malformed', what));
    return false;
  }
}
