/**
 * When an authenticated connection has to end: with the certificate that ends first, on either side. A little
 * before that it is retired, so that what it carries can end in order. Pure: it knows no clock and no timer.
 */

export interface Retirement {
  /** Milliseconds since the Unix epoch. */
  readonly retireAt: number;
  readonly endsAt: number;
  readonly cutAt: number;
}

export interface OpenedConnection {
  /** Milliseconds since the Unix epoch: now, when it was opened. */
  readonly openedAt: number;
  /** Milliseconds since the Unix epoch: the earliest end of anything in either chain. */
  readonly endsAt: number;
  readonly role: 'accepted' | 'dialed';
}

/** Share of what is left of the connection's life, and the most that it comes to, in milliseconds. */
const NOTICE = {
  accepted: { share: 0.1, mostMs: 5_000 },
  // Twice as long: the one who dials stops using a connection before the other side begins to close it, so that no
  // request meets a closing connection.
  dialed: { share: 0.2, mostMs: 10_000 },
} as const;

/** @param graceSeconds for what is in progress when the identity ends */
export function retirementOf({ openedAt, endsAt, role }: OpenedConnection, graceSeconds: number): Retirement {
  const { share, mostMs } = NOTICE[role];
  const left = Math.max(0, endsAt - openedAt);
  const notice = Math.min(left * share, mostMs);
  return { retireAt: endsAt - notice, endsAt, cutAt: endsAt + graceSeconds * 1000 };
}
