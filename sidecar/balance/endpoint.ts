/** One address behind a destination: what is in progress there and how it has behaved. It opens nothing itself. */
import type { Clock } from '../../shared/clock/clock.ts';
import { afterFailure, afterSuccess, isOut, type OutlierRecord, type OutlierRules, UNBLEMISHED } from './outlier.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
  /** The name that led to it, if there was one. */
  readonly name?: string;
}

export class Endpoint<T> {
  readonly address: Address;
  /** What leads there; belongs to whoever made the set. */
  readonly way: T;
  /** Requests or connections in progress. */
  active = 0;
  /** It is no longer among the destination's addresses: what is in progress may end, nothing new begins. */
  isLeaving = false;
  #record: OutlierRecord = UNBLEMISHED;

  constructor(address: Address, way: T) {
    this.address = address;
    this.way = way;
  }

  isOut(now: number): boolean {
    return isOut(this.#record, now);
  }

  succeeded(): void {
    this.#record = afterSuccess(this.#record);
  }

  /** @returns true when this sent it away */
  failed(clock: Clock, rules: OutlierRules, mayEject: boolean): boolean {
    const now = clock.monotonic();
    const before = this.isOut(now);
    this.#record = afterFailure(this.#record, now, rules, mayEject);
    return !before && this.isOut(now);
  }
}

export function addressKey({ host, port, name = '' }: Address): string {
  return `${host}|${port}|${name}`;
}
