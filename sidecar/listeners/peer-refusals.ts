/**
 * What becomes of a peer that a port does not let in, whether it proved nothing or proved to be somebody who may not:
 * it is closed without being read, its handshake is counted by the code, and the log says who it was. It decides
 * nothing.
 */
import type { TLSSocket } from 'node:tls';
import type { Refusal } from '../../shared/errors/refusal.ts';
import type { Log } from '../../shared/log/log.ts';
import type { VerifiedPeer } from '../tls/peer-check.ts';
import type { ListenerParts } from './listener-parts.ts';

export class PeerRefusals {
  readonly #parts: Pick<ListenerParts, 'refused' | 'handshakeEnded'>;
  readonly #log: Log;

  constructor(parts: Pick<ListenerParts, 'refused' | 'handshakeEnded'>, log: Log) {
    this.#parts = parts;
    this.#log = log;
  }

  /** One that is closed already. */
  tell(refusal: Refusal, remoteAddress: string, peer?: VerifiedPeer): void {
    const { code, detail } = refusal;
    this.#parts.handshakeEnded('inbound', code);
    this.#parts.refused(refusal);
    this.#log.warn('peer_refused', { code, detail, remoteAddress, ...(peer ? { peer: peer.spiffeId.uri } : {}) });
  }

  /** One that has proved who it is. */
  turnAway(socket: TLSSocket, peer: VerifiedPeer, refusal: Refusal): void {
    const { remoteAddress = 'unknown' } = socket;
    socket.on('error', () => {}); // it is being closed: what the peer still does to it is of no interest
    socket.destroy();
    this.tell(refusal, remoteAddress, peer);
  }
}
