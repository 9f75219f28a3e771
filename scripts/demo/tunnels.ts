/** What a sidecar tells on its admin port about its tunnels: how many sessions carry how many requests. It only asks. */
import type { Service } from '../local-mesh/mesh.ts';

interface Listed {
  readonly direction: string;
  readonly protocol: string;
  readonly peer: string | null;
  readonly requests: number;
}

/** @returns for example `26 requests in 1 mutual TLS session with spiffe://…/orders` */
export async function tunnelsOf({ plan }: Service): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${plan.ports.admin}/connections`, {
    signal: AbortSignal.timeout(5_000),
  });
  const { connections } = (await answer.json()) as { connections: Listed[] };
  const sessions = connections.filter(({ direction, protocol }) => direction === 'outbound' && protocol === 'tunnel');
  const requests = sessions.reduce((sum, session) => sum + session.requests, 0);
  const what = sessions.length === 1 ? 'session' : 'sessions';
  const peers = [...new Set(sessions.map(({ peer }) => peer))].join(', ');
  return `${requests} requests in ${sessions.length} mutual TLS ${what} with ${peers}`;
}
