/** Full mutual handshakes with the second proxy of a hop, one after the other in a few places; none is resumed. */
import { once } from 'node:events';
import { createSecureContext, type SecureContext, connect as tlsConnect } from 'node:tls';
import type { MeshSvid } from '../support/one-sidecar.ts';

export interface HandshakeLoad {
  readonly port: number;
  readonly svid: MeshSvid;
  readonly alpn: readonly string[] | undefined;
  readonly seconds: number;
}

const IN_FLIGHT = 4;

/** @returns how many handshakes were done */
export async function handshake({ port, svid, alpn, seconds }: HandshakeLoad): Promise<number> {
  const secureContext = createSecureContext({
    cert: svid.certPem,
    key: svid.keyPem,
    ca: svid.rootPem,
    minVersion: 'TLSv1.3',
  });
  const end = performance.now() + seconds * 1000;
  let done = 0;
  const work = async (): Promise<void> => {
    while (performance.now() < end) {
      await oneHandshake(port, secureContext, alpn);
      done++;
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, work));
  return done;
}

/** Ends with the close of both sides: by then the second proxy has verified the client certificate. */
async function oneHandshake(
  port: number,
  secureContext: SecureContext,
  alpn: readonly string[] | undefined,
): Promise<void> {
  const socket = tlsConnect({
    port,
    host: '127.0.0.1',
    secureContext,
    checkServerIdentity: () => undefined, // an SVID carries no host name
    ...(alpn ? { ALPNProtocols: [...alpn] } : {}),
  });
  const closed = once(socket, 'close');
  socket.setTimeout(5_000, () => socket.destroy(new Error('no end of a handshake within 5 s')));
  await once(socket, 'secureConnect');
  socket.resume();
  socket.end();
  await closed;
}
