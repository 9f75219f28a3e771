/** The refusal of a CONNECT by the peer's answer, with the status for whoever has to tell it on. */
import { Refusal } from '../../shared/errors/refusal.ts';

export class TunnelRefusal extends Refusal {
  /** What the peer answered: 300 to 599. */
  readonly peerStatus: number;

  constructor(peerStatus: number) {
    super('tunnel_refused', `status ${peerStatus}`);
    this.peerStatus = peerStatus;
  }
}
