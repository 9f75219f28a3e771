/**
 * The demo's mesh: web → orders → ledger, and mallory, who has an identity of her own and answers at an
 * address where orders expects ledger. Pure data.
 */
import { type MeshPlan, planMesh } from '../local-mesh/mesh-plan.ts';

export const DEMO_CERTIFICATE_SECONDS = 30;
export const HONEST = ['web', 'orders', 'ledger'] as const;
export const IMPOSTOR = 'mallory';
/** A workload whose token file holds an expired token. */
export const FORMER = 'former';
/** The outbound listener of orders that a poisoned address leads to the impostor. */
export const POISONED = 'ledger-by-poisoned-address';

const TRUST_DOMAIN = 'demo.local';
const NAMESPACE = 'shop';
/** Ports 0..39 from the base are the demo's own; the impostor is planned first, her ports are at known places. */
export const PORT_COUNT = 40;
const [IMPOSTOR_TUNNEL, IMPOSTOR_APP] = [4, 5];

export function demoPlan(directory: string, portBase: number): MeshPlan {
  const ports = Array.from({ length: PORT_COUNT }, (_, at) => portBase + at);
  return planMesh({
    directory,
    trustDomain: TRUST_DOMAIN,
    namespace: NAMESPACE,
    certificateSeconds: DEMO_CERTIFICATE_SECONDS,
    ports: ports.values(),
    expired: [FORMER],
    services: [
      { name: IMPOSTOR },
      { name: 'ledger' },
      {
        name: 'orders',
        next: 'ledger',
        outbound: [
          {
            name: POISONED,
            transport: 'tunnel',
            to: `127.0.0.1:${portBase + IMPOSTOR_APP}`,
            tunnelPort: portBase + IMPOSTOR_TUNNEL,
            peers: [`spiffe://${TRUST_DOMAIN}/ns/${NAMESPACE}/sa/ledger`],
          },
        ],
      },
      { name: 'web', next: 'orders' },
    ],
  });
}
