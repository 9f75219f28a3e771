/**
 * One buffer that all lending sockets read into: each hands on what it has read before another one can read, so
 * nothing is allocated for what is received. net offers that for sockets that it dials; for accepted ones this sets
 * what `onread` would have set, and leaves the socket as it was where this Node has it otherwise.
 */
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** What is read at once fits into one frame of a tunnel (64 KiB), together with the head that may stand before it. */
const READ_BYTES = 60 * 1024;

/** All lending sockets read into this. */
export const SHARED = Buffer.allocUnsafeSlow(READ_BYTES);

/** Takes what was read; valid during the call. */
export type Taker = (bytes: Buffer) => void;

/** What `onread` does with a read of `count` bytes. */
export function readInto(take: Taker): (count: number) => boolean {
  return (count) => {
    take(count === SHARED.length ? SHARED : SHARED.subarray(0, count));
    return true;
  };
}

interface Reading {
  _handle?: { useUserBuffer?(buffer: Uint8Array): void } | null;
  [key: symbol]: unknown;
}

/** Where a socket keeps the buffer and the callback of `onread`. */
const [BUFFER, CALLBACK] = ['kBuffer', 'kBufferCb'].map(symbolOf);

/**
 * From now on the socket reads into the shared buffer.
 * @returns false when it cannot, and goes on reading as it does
 */
export function lendReads(socket: Socket, take: Taker): boolean {
  // What has been read already would come after what is read from now on.
  if (socket.readableLength > 0 || socket.readableEnded) return false;
  const reading = socket as Socket & Reading;
  const { _handle: handle } = reading;
  if (!BUFFER || !CALLBACK || typeof handle?.useUserBuffer !== 'function') return false;
  reading[BUFFER] = SHARED;
  reading[CALLBACK] = readInto(take);
  handle.useUserBuffer(SHARED);
  return true;
}

/** For a reader that never pauses: everything that the stream receives, valid during the call. */
export function readLending(stream: Duplex, take: Taker): void {
  const lends = stream instanceof Socket && lendReads(stream, take);
  if (lends) stream.resume();
  else stream.on('data', take);
}

function symbolOf(name: string): symbol | undefined {
  return Object.getOwnPropertySymbols(new Socket()).find(({ description }) => description === name);
}
