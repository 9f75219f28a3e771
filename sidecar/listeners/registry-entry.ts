/**
 * One connection in the registry: its facts, and the steps by which it ends, each told to whoever carries it. A
 * carrier that comes later is told what has been decided before it came.
 */
import type { Clock, Timer } from '../../shared/clock/clock.ts';
import { Refusal } from '../../shared/errors/refusal.ts';
import type {
  Carrier,
  ConnectionFacts,
  ConnectionState,
  RegisteredConnection,
  RetirementReason,
} from '../relay/relay.ts';
import { type Retirement, retirementOf } from './retirement.ts';

/** What an operator may see of a connection. */
export interface ListedConnection {
  /** Which thread has it, where there are several: each counts its own ids. */
  readonly worker?: number;
  readonly id: number;
  readonly direction: string;
  readonly listener: string;
  readonly protocol: string;
  readonly leg: string;
  readonly peer: string | null;
  readonly remoteAddress: string | null;
  readonly openedAt: string;
  /** Null for plaintext connections with the app, which no certificate ends. */
  readonly endsAt: string | null;
  readonly state: ConnectionState;
  readonly requests: number;
  /** As counted by the socket: on an mtls leg with what TLS adds. */
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

export interface EntryOptions {
  readonly id: number;
  readonly facts: ConnectionFacts;
  readonly clock: Clock;
  readonly graceSeconds: number;
  readonly retired: (reason: RetirementReason) => void;
  readonly cut: (reason: CutReason, why: Refusal) => void;
}

/** `distrust`: a bundle without the authority that it depends on; nothing of it is waited for. */
export type CutReason = RetirementReason | 'distrust';

/** A wall clock can jump while a timer waits: the moment is looked at again at least this often. */
const LONGEST_WAIT_MS = 60_000;

export class RegistryEntry implements RegisteredConnection {
  readonly id: number;
  readonly facts: ConnectionFacts;
  requests = 0;
  readonly #options: EntryOptions;
  readonly #openedAt: number;
  readonly #retirement: Retirement | undefined;
  #state: ConnectionState = 'open';
  #reason: RetirementReason | undefined;
  #cutBy: Refusal | undefined;
  #carrier: Carrier | undefined;
  #timer: Timer | undefined;

  constructor(options: EntryOptions) {
    const { id, facts, clock, graceSeconds } = options;
    this.#options = options;
    this.id = id;
    this.facts = facts;
    this.#openedAt = clock.now();
    const { peer, own, role } = facts;
    if (peer && own) {
      const endsAt = Math.min(peer.notAfter, own.notAfter);
      this.#retirement = retirementOf({ openedAt: this.#openedAt, endsAt, role }, graceSeconds);
    }
    this.#arm();
  }

  get state(): ConnectionState {
    return this.#state;
  }

  carriedBy(carrier: Carrier): void {
    this.#carrier = carrier;
    if (this.#reason !== undefined) carrier.retire(this.#reason);
    if (this.#state === 'expired') carrier.expire();
    if (this.#cutBy) carrier.cut(this.#cutBy);
  }

  retire(reason: RetirementReason): void {
    // A later reason may ask for more (draining closes what is idle), so it is told too.
    if (this.#reason === reason || this.#reason === 'draining') return;
    if (this.#reason === undefined) this.#options.retired(reason);
    this.#reason = reason;
    if (this.#state === 'open') this.#state = 'retiring';
    this.#carrier?.retire(reason);
  }

  cut(why: Refusal, reason: CutReason = this.#reason ?? 'draining'): void {
    if (this.#cutBy) return;
    this.#cutBy = why;
    this.#options.cut(reason, why);
    if (this.#carrier) this.#carrier.cut(why);
    else this.facts.socket.destroy();
  }

  /** The socket is closed. */
  forget(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#carrier = undefined;
  }

  listed(): ListedConnection {
    const { direction, listener, protocol, leg, peer, socket } = this.facts;
    return {
      id: this.id,
      direction,
      listener,
      protocol,
      leg,
      peer: peer?.spiffeId.uri ?? null,
      remoteAddress: socket.remoteAddress === undefined ? null : `${socket.remoteAddress}:${socket.remotePort}`,
      openedAt: new Date(this.#openedAt).toISOString(),
      endsAt: this.#retirement ? new Date(this.#retirement.endsAt).toISOString() : null,
      state: this.#state,
      requests: this.requests,
      bytesRead: socket.bytesRead,
      bytesWritten: socket.bytesWritten ?? 0,
    };
  }

  #arm(): void {
    const at = this.#nextMoment();
    if (at === undefined) return;
    const wait = Math.min(LONGEST_WAIT_MS, Math.max(0, at - this.#options.clock.now()));
    this.#timer = this.#options.clock.after(wait, () => {
      this.#step();
      this.#arm();
    });
  }

  #nextMoment(): number | undefined {
    if (!this.#retirement || this.#cutBy) return undefined;
    if (this.#state === 'expired') return this.#retirement.cutAt;
    return this.#reason === undefined ? this.#retirement.retireAt : this.#retirement.endsAt;
  }

  #step(): void {
    const now = this.#options.clock.now();
    const { retireAt, endsAt, cutAt } = this.#retirement!;
    if (now >= retireAt && this.#reason === undefined) this.retire('expiry');
    if (now >= endsAt && this.#state !== 'expired') {
      this.#state = 'expired';
      this.#carrier?.expire();
    }
    if (now >= cutAt) this.cut(new Refusal('connection_expired', 'the grace is over'));
  }
}
