/** How a relay ends sockets that did not end by themselves, so that a cut stream never looks like a finished one. */
import { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Clock } from '../../shared/clock/clock.ts';

/** Milliseconds that the other side gets to read the last words before its connection is gone. */
const LINGER_MS = 2_000;

/**
 * Closes at once, by a reset: an orderly end could be taken for the regular end of what was carried. TLS has a mark
 * for that of its own (RFC 8446 §6.1, close_notify), but node:tls does not tell whether it came.
 */
export function cutSocket(socket: Socket): void {
  if (socket.destroyed) return;
  const transport = socket instanceof TLSSocket ? transportOf(socket) : socket;
  transport?.resetAndDestroy();
  socket.destroy();
}

/** The TCP socket below a TLS socket. node:tls has no public name for it. */
function transportOf(socket: TLSSocket): Socket | undefined {
  const { _parent: below } = socket as TLSSocket & { readonly _parent?: unknown };
  return below instanceof Socket && !below.destroyed && !(below instanceof TLSSocket) ? below : undefined;
}

/**
 * RFC 9112 §9.6: ends the writing half, still reads what comes into the void, and closes after a moment. Closing
 * with unread bytes would reset the connection and could take the last answer away from the other side.
 */
export function endSocket(socket: Socket, clock: Clock): void {
  if (socket.destroyed) return;
  const timer = clock.after(LINGER_MS, () => socket.destroy());
  socket.once('close', () => timer.cancel());
  if (!socket.writableEnded) socket.end();
  socket.resume();
}
