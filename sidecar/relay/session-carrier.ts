/**
 * How a tunnel session ends with the identities that opened it. The session is the registered connection; what its
 * streams carry is told when the session is: a stream has no life of its own beyond it. Retiring stops new streams
 * and lets the others finish; the cut ends them all. Idle streams end only when the other side has heard that the
 * session ends: before that it may be asking by one of them, and nobody would answer.
 */
import type { Refusal } from '../../shared/errors/refusal.ts';
import type { Channel } from '../channel/channel.ts';
import type { Carrier, ConnectionState, RegisteredConnection, RetirementReason } from './relay.ts';

/** What it needs of Session. */
export interface CarriedSession {
  readonly streams: number;
  /** Opens or takes no new streams; closes after the last one. */
  drain(): void;
  cut(why: Refusal): void;
}

/** Streams that have closed are swept out when they are more than the open ones, and more than this. */
const MOST_CLOSED = 64;

export class SessionCarrier implements Carrier {
  readonly #session: CarriedSession;
  #connection!: RegisteredConnection;
  readonly #streams = new Set<StreamConnection>();
  #reason: RetirementReason | undefined;
  #isHeard = false;

  constructor(session: CarriedSession) {
    this.#session = session;
  }

  /** Before any stream. @param connection the session's own entry in the registry, which may retire it at once */
  registeredAs(connection: RegisteredConnection): void {
    this.#connection = connection;
    connection.carriedBy(this);
  }

  /** What a relay sees of a stream instead of an entry in the registry. */
  entered(stream: Pick<Channel, 'isClosed'>): RegisteredConnection {
    if (this.#streams.size > 2 * this.#session.streams + MOST_CLOSED) this.#sweep();
    const entry = new StreamConnection(stream, this.#connection, () => this.#reason);
    this.#streams.add(entry);
    return entry;
  }

  retire(reason: RetirementReason): void {
    this.#reason = reason;
    this.#session.drain();
    const told = this.#isHeard ? reason : gentle(reason);
    for (const { carrier } of this.#open()) carrier?.retire(told);
  }

  /** The other side wants the end of the session: it takes nothing new. */
  peerDrains(): void {
    if (this.#reason === undefined) this.retire('rotation');
  }

  /** The other side has heard of the end of the session. */
  heard(): void {
    if (this.#isHeard) return;
    this.#isHeard = true;
    if (this.#reason === 'draining') for (const { carrier } of this.#open()) carrier?.retire('draining');
  }

  expire(): void {
    this.#session.drain();
    for (const { carrier } of this.#open()) carrier?.expire();
  }

  cut(why: Refusal): void {
    for (const { carrier } of this.#open()) carrier?.cut(why);
    this.#session.cut(why);
  }

  /** A copy: whoever is told may close its stream at once. */
  #open(): StreamConnection[] {
    this.#sweep();
    return [...this.#streams];
  }

  #sweep(): void {
    for (const entry of this.#streams) if (entry.stream.isClosed) this.#streams.delete(entry);
  }
}

/** Draining ends what is idle; whatever else only lets nothing new begin. */
function gentle(reason: RetirementReason): RetirementReason {
  return reason === 'draining' ? 'rotation' : reason;
}

class StreamConnection implements RegisteredConnection {
  readonly isStream = true;
  readonly stream: Pick<Channel, 'isClosed'>;
  carrier: Carrier | undefined;
  readonly #session: RegisteredConnection;
  readonly #retiredFor: () => RetirementReason | undefined;

  constructor(
    stream: Pick<Channel, 'isClosed'>,
    session: RegisteredConnection,
    retiredFor: () => RetirementReason | undefined,
  ) {
    this.stream = stream;
    this.#session = session;
    this.#retiredFor = retiredFor;
  }

  get id(): number {
    return this.#session.id;
  }

  get state(): ConnectionState {
    return this.#session.state;
  }

  get requests(): number {
    return this.#session.requests;
  }

  set requests(count: number) {
    this.#session.requests = count;
  }

  carriedBy(carrier: Carrier): void {
    this.carrier = carrier;
    // What was decided before is told at once.
    const reason = this.#retiredFor();
    // What was opened on the way is to be used once, however late it is.
    if (reason !== undefined) carrier.retire(gentle(reason));
    if (this.#session.state === 'expired') carrier.expire();
  }
}
