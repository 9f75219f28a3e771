/** The refusal of a CONNECT by the peer's answer, with the status for whoever has to tell it on. */
import { Refusal } from '../../shared/errors/refusal.ts';

/** RFC 9110 §15.5.4; a ztunnel answers 401 (§15.5.2) when its policies say no. */
const BY_POLICY: ReadonlySet<number> = new Set([401, 403]);

export class TunnelRefusal extends Refusal {
  /** What the peer answered: 300 to 599. */
  readonly peerStatus: number;

  constructor(peerStatus: number) {
    super(BY_POLICY.has(peerStatus) ? 'tunnel_forbidden' : 'tunnel_refused', `status ${peerStatus}`);
    this.peerStatus = peerStatus;
  }
}
