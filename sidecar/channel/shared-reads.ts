/**
 * One buffer that all lending sockets read into: each hands on what it has read before another one can read, so
 * nothing is allocated for what is received. net offers that for sockets that it dials; for accepted ones this sets
 * what `onread` would have set, and leaves the socket as it was where this Node has it otherwise.
 */
import { Socket } from 'node:net';

/** All lending sockets read into this. */
export const SHARED = Buffer.allocUnsafeSlow(64 * 1024);

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
 * From now on the socket reads into the shared buffer. Nothing may have been read from it yet.
 * @returns false when it cannot, and goes on reading as it does
 */
export function lendReads(socket: Socket, take: Taker): boolean {
  const reading = socket as Socket & Reading;
  const { _handle: handle } = reading;
  if (!BUFFER || !CALLBACK || typeof handle?.useUserBuffer !== 'function') return false;
  reading[BUFFER] = SHARED;
  reading[CALLBACK] = readInto(take);
  handle.useUserBuffer(SHARED);
  return true;
}

function symbolOf(name: string): symbol | undefined {
  return Object.getOwnPropertySymbols(new Socket()).find(({ description }) => description === name);
}
