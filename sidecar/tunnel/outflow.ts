/**
 * Sending under flow control (RFC 9113 §5.2, §6.9): what fits goes out at once, the rest waits in its stream, and
 * streams with waiting bytes take turns. It accounts for the connection; each stream knows its own window.
 */
import type { HeadBytes } from '../channel/channel.ts';
import { H2, SessionFault } from './error-codes.ts';
import type { FloodGuard } from './flood-guard.ts';
import { DEFAULT_FRAME_BYTES, DEFAULT_WINDOW, MOST_31_BITS } from './frame-format.ts';
import type { FrameWriter } from './frame-writer.ts';
import type { Output } from './output.ts';

/** What a stream shows to the outflow. */
export interface Sender {
  readonly id: number;
  /** Bytes that the peer lets this stream send. Below zero after SETTINGS have made it smaller (RFC 9113 §6.9.2). */
  sendWindow: number;
  /** Bytes that wait. */
  readonly queued: number;
  /** Stands in line for a turn. */
  isInLine: boolean;
  takeQueued(most: number): Buffer;
  /** Nothing waits any more. */
  queueSent(): void;
}

/** Bytes per turn: one full frame, so that no stream waits long for another one. */
const TURN_BYTES = 65_536;
/** Pieces cut so small by the peer's window entitle it to nothing: one byte at a time is an attack (CVE-2019-9511). */
const CRUMB_BYTES = 256;

export class Outflow {
  /** Bytes that the peer lets all streams send. */
  window = DEFAULT_WINDOW;
  /** For streams that are opened from now on (SETTINGS_INITIAL_WINDOW_SIZE). */
  initialWindow = DEFAULT_WINDOW;
  frameBytes = DEFAULT_FRAME_BYTES;
  /** Bytes that wait in all streams. */
  queued = 0;
  readonly #output: Output;
  readonly #writer: FrameWriter;
  readonly #guard: FloodGuard;
  #line: Sender[] = [];
  #isTurning = false;

  constructor(output: Output, writer: FrameWriter, guard: FloodGuard) {
    this.#output = output;
    this.#writer = writer;
    this.#guard = guard;
  }

  /** As one frame. @returns false when it has to wait */
  send(stream: Sender, bytes: Buffer): boolean {
    if (!this.#fits(stream, bytes.length)) return false;
    this.#writer.data(stream.id, bytes);
    return true;
  }

  /** A head and bytes as one frame. @returns false when it has to wait */
  sendHead(stream: Sender, head: HeadBytes, body: Buffer, from: number, to: number): boolean {
    if (!this.#fits(stream, head.length + to - from)) return false;
    this.#writer.dataOf(stream.id, head, body, from, to);
    return true;
  }

  /** The stream has bytes waiting, or a larger window for them. */
  enqueue(stream: Sender): void {
    if (stream.queued === 0 || stream.sendWindow <= 0 || stream.isInLine) return;
    stream.isInLine = true;
    this.#line.push(stream);
  }

  /** RFC 9113 §6.9.1: a window beyond 2^31 - 1 is an error of the connection. */
  widen(increment: number): void {
    this.window += increment;
    if (this.window > MOST_31_BITS) throw new SessionFault(H2.FLOW_CONTROL_ERROR, 'the connection window overflows');
    this.takeTurns();
  }

  /** Round robin over the streams in line, while anything may be sent. */
  takeTurns(): void {
    // A receiver that is told of room writes again: its stream joins the line that is being worked on.
    if (this.#isTurning) return;
    this.#isTurning = true;
    const line = this.#line;
    let at = 0;
    while (at < line.length && this.window > 0 && !this.#output.isBlocked) {
      const stream = line[at++]!;
      stream.isInLine = false;
      this.#turn(stream);
      this.enqueue(stream);
    }
    line.splice(0, at);
    this.#isTurning = false;
  }

  #turn(stream: Sender): void {
    let left = TURN_BYTES;
    while (stream.queued > 0 && left > 0) {
      const most = Math.min(stream.sendWindow, this.window, this.frameBytes, left);
      if (most <= 0) return;
      const bytes = stream.takeQueued(most);
      left -= bytes.length;
      stream.sendWindow -= bytes.length;
      this.window -= bytes.length;
      if (bytes.length >= CRUMB_BYTES || stream.queued === 0) this.#guard.entitle(bytes.length);
      this.#writer.data(stream.id, bytes);
      if (stream.queued === 0) stream.queueSent();
    }
  }

  /** Takes it from both windows if it may be sent now. */
  #fits(stream: Sender, bytes: number): boolean {
    if (bytes > stream.sendWindow || bytes > this.window || bytes > this.frameBytes || this.#output.isBlocked) {
      return false;
    }
    stream.sendWindow -= bytes;
    this.window -= bytes;
    this.#guard.entitle(bytes);
    return true;
  }
}
