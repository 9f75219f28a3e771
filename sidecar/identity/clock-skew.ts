/** How far this machine's clock is from citadel's. Pure, and only as exact as the network is quick. */

/** Milliseconds since the Unix epoch. */
export interface TimedAnswer {
  readonly sentAt: number;
  readonly receivedAt: number;
  /** citadel's time, read somewhere between the two. */
  readonly serverTime: number;
}

/** @returns milliseconds by which this clock is ahead of citadel's; exact to half the time of the exchange */
export function clockSkewMs({ sentAt, receivedAt, serverTime }: TimedAnswer): number {
  return (sentAt + receivedAt) / 2 - serverTime;
}
