/**
 * One end of a byte stream, whatever carries it: a TCP socket, a TLS connection or a stream inside a tunnel. Relays
 * are written against this alone. It pushes (no Duplex per stream: that cost half of the CPU), and whoever receives
 * decides how fast. It never looks at a byte.
 */
import type { Refusal } from '../../shared/errors/refusal.ts';

/** What the owner of a channel is told. Set once before anything can arrive; replaced only between two bytes. */
export interface ChannelReceiver {
  /**
   * Bytes in order. When the channel lends (`lends`), they are valid only during the call.
   * To slow the sender down, call `pause()` in here: the bytes of this call then count as taken only at `resume()`.
   * @param more the sender's frame goes on in this turn of the event loop: writing may wait for the rest
   */
  onBytes(bytes: Buffer, more: boolean): void;
  /** The other side has ended its direction; this side may go on writing. */
  onEnd(): void;
  /** After a `write` that returned false: there is room again. */
  onDrain(): void;
  /**
   * Once, last of all.
   * @param failure undefined when both directions were ended in order
   */
  onClose(failure: Refusal | undefined): void;
}

/** The first `length` bytes of a buffer. */
export interface HeadBytes {
  readonly buffer: Buffer;
  readonly length: number;
}

export interface Channel {
  receiver: ChannelReceiver;
  /** The bytes it delivers belong to it and are overwritten after `onBytes`: copy what must be kept. */
  readonly lends: boolean;
  /** Bytes taken from and given to the other side. */
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Of what was written: still on this side, waiting for room. Absent when that is not known. */
  readonly queued?: number;
  readonly isPaused: boolean;
  /** Nothing more can be written: ended here, or closed. */
  readonly isEnded: boolean;
  readonly isClosed: boolean;
  /**
   * @param lent the buffer is the caller's again when this returns
   * @param more the rest of a unit follows in this turn of the event loop: it may wait for it
   * @returns false when bytes had to be queued: stop until `onDrain`. They are queued all the same.
   */
  write(bytes: Buffer, lent: boolean, more?: boolean): boolean;
  /**
   * A head and the first bytes of its body [from, to) as one write: one frame, one system call.
   * @param head is the caller's again when this returns
   * @param more as in `write`
   */
  writeHead(head: HeadBytes, body: Buffer, from: number, to: number, lent: boolean, more?: boolean): boolean;
  /** Neither bytes nor the end are delivered until `resume`; the other side is slowed down, not cut. */
  pause(): void;
  resume(): void;
  /** Ends this side's direction after everything that was written. Later writes are ignored. */
  end(): void;
  /** Breaks it so that the other side sees a failure, never an end in order. Nothing more is delivered but `onClose`. */
  abort(why: Refusal): void;
}
