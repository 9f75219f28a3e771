/**
 * A port that takes mutual TLS and, while a mesh is being moved, connections without it. The first bytes decide; who
 * stays silent is taken for plaintext, because a TLS client always speaks first. It exists only where the settings
 * say `unsafePlaintext`.
 */
import net, { type Socket } from 'node:net';
import type tls from 'node:tls';
import type { Clock } from '../../shared/clock/clock.ts';
import { LONGEST_LOOK, spokenIn } from '../relay/protocol-detect.ts';

export interface LookOptions {
  readonly clock: Clock;
  readonly detectMs: number;
}

/** @param onPlain takes a socket of which nothing is lost */
export function orPlaintext(mtls: tls.Server, options: LookOptions, onPlain: (socket: Socket) => void): net.Server {
  const server = net.createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) => {
    const { clock, detectMs } = options;
    let heard: Buffer = Buffer.alloc(0);
    const decide = (isTls: boolean): void => {
      timer.cancel();
      socket.off('data', onData).off('error', onGone).off('close', onGone).off('end', onEnd);
      if (socket.destroyed) return;
      socket.pause();
      if (heard.length > 0) socket.unshift(heard);
      if (isTls) mtls.emit('connection', socket);
      else onPlain(socket);
    };
    const onData = (bytes: Buffer): void => {
      heard = Buffer.concat([heard, bytes]);
      const spoken = spokenIn(heard);
      if (spoken !== undefined || heard.length >= LONGEST_LOOK) decide(spoken === 'tls');
    };
    const onEnd = (): void => void socket.destroy();
    const onGone = (): void => timer.cancel();
    const timer = clock.after(detectMs, () => decide(false));
    socket.on('data', onData).on('error', onGone).on('close', onGone).on('end', onEnd);
    socket.resume();
  });
  server.on('close', () => mtls.emit('close'));
  return server;
}
