/**
 * The connection's receive window (RFC 9113 §6.9). It is opened again on receipt, so that one slow stream does not
 * stop the others, until what all slow receivers have not taken yet is more than we want to hold.
 */
import { H2, SessionFault } from './error-codes.ts';
import { DEFAULT_WINDOW } from './frame-format.ts';
import type { FrameWriter } from './frame-writer.ts';

export interface InflowLimits {
  readonly connectionWindowBytes: number;
  readonly heldBytes: number;
}

/** Held less than this share of the most, receivers are not slow. */
const PLENTY_SHARE = 0.125;

export class Inflow {
  /** Bytes received for receivers that have not taken them. */
  held = 0;
  readonly #writer: FrameWriter;
  readonly #limits: InflowLimits;
  #left: number;
  #owed = 0;

  constructor(writer: FrameWriter, limits: InflowLimits) {
    this.#writer = writer;
    this.#limits = limits;
    this.#left = Math.max(DEFAULT_WINDOW, limits.connectionWindowBytes);
  }

  /** RFC 9113 §6.9.2: the connection's window is changed by WINDOW_UPDATE alone. */
  begin(): void {
    if (this.#left > DEFAULT_WINDOW) this.#writer.windowUpdate(0, this.#left - DEFAULT_WINDOW);
  }

  /** Windows of streams may grow. */
  get hasPlenty(): boolean {
    return this.held < this.#limits.heldBytes * PLENTY_SHARE;
  }

  /** A DATA frame with its padding, whatever becomes of its stream (RFC 9113 §6.9). */
  spend(bytes: number): void {
    if (bytes > this.#left && bytes > 0)
      throw new SessionFault(H2.FLOW_CONTROL_ERROR, 'more DATA than the connection window');
    this.#left -= bytes;
    this.#owed += bytes;
    this.#credit();
  }

  hold(bytes: number): void {
    this.held += bytes;
  }

  letGo(bytes: number): void {
    this.held -= bytes;
    this.#credit();
  }

  #credit(): void {
    if (this.#owed < this.#limits.connectionWindowBytes / 2 || this.held > this.#limits.heldBytes) return;
    this.#left += this.#owed;
    this.#writer.windowUpdate(0, this.#owed);
    this.#owed = 0;
  }
}
