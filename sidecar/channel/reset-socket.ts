/** How a socket is broken so that the other side cannot take it for an end in order. */
import { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/**
 * Closes at once, by a reset: an orderly end could be taken for the regular end of what was carried. TLS has a mark
 * for that of its own (RFC 8446 §6.1, close_notify), but node:tls does not tell whether it came.
 */
export function resetSocket(socket: Socket): void {
  if (socket.destroyed) return;
  if (isEnding(socket)) return void socket.destroy();
  const transport = socket instanceof TLSSocket ? transportOf(socket) : socket;
  transport?.resetAndDestroy();
  socket.destroy();
}

/**
 * Everything is with the kernel, and only its word that the end is sent is missing. libuv refuses to reset then, and
 * node:net would leave the descriptor open for ever: no `close`, and a process that cannot end. There is nothing
 * left to break either, for the end was said after the last byte.
 */
function isEnding({ writableEnded, writableFinished, writableLength }: Socket): boolean {
  return writableEnded && !writableFinished && writableLength === 0;
}

/** The TCP socket below a TLS socket. node:tls has no public name for it. */
function transportOf(socket: TLSSocket): Socket | undefined {
  const { _parent: below } = socket as TLSSocket & { readonly _parent?: unknown };
  return below instanceof Socket && !below.destroyed && !(below instanceof TLSSocket) ? below : undefined;
}
