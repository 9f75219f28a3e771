/**
 * One session per peer, shared by every stream that goes there. A second one is opened only when the first has no
 * room left: measured, each further session costs more than it gives. A thousand streams that want the same absent
 * session wait for one dial. What a peer says it has not processed is opened again elsewhere. It never keeps a
 * session that is draining, and never mixes peers: the key holds all that was checked at the handshake.
 */
import type { Clock, Timer } from '../../shared/clock/clock.ts';
import { Refusal } from '../../shared/errors/refusal.ts';
import type { Session } from './session.ts';
import type { TunnelStream } from './tunnel-stream.ts';

export type HeaderList = readonly (readonly [string, string])[];

/** What the pool needs of a session. */
export type PooledSession = Pick<Session, 'room' | 'streams' | 'isDraining' | 'isClosed' | 'open' | 'drain'>;

export interface SessionPoolOptions<S extends PooledSession> {
  readonly clock: Clock;
  /** Makes one session. Not aborted by any single caller, for others wait for it too: it has its own timeouts. */
  readonly dial: () => Promise<S>;
  /** Seconds without a stream after which a session is let go. */
  readonly idleSeconds: number;
  /** Sessions at the same time, when the peer allows few streams on each. */
  readonly mostSessions: number;
}

export interface OpenedStream<S> {
  readonly stream: TunnelStream;
  readonly session: S;
}

/** How often an unprocessed stream is opened elsewhere before its refusal is passed on. */
const TRIES = 3;

/** Sessions to one address, for one set of peers. */
export class SessionPool<S extends PooledSession> {
  readonly #options: SessionPoolOptions<S>;
  #sessions: S[] = [];
  #dialing: Promise<S> | undefined;
  #sweep: Timer | undefined;
  /** Since when no session had a stream, monotonic milliseconds. */
  #idleSince: number | undefined;
  #closed = false;

  constructor(options: SessionPoolOptions<S>) {
    this.#options = options;
  }

  /** Sessions that take streams. */
  get size(): number {
    return this.#usable().length;
  }

  /** @throws {Refusal} whatever dialing throws, tunnel_* */
  async open(authority: string, headers: HeaderList, signal?: AbortSignal): Promise<OpenedStream<S>> {
    for (let left = TRIES; ; left--) {
      const session = await this.#session(signal);
      try {
        return { stream: await session.open(authority, headers, signal), session };
      } catch (error) {
        // RFC 9113 §8.7: what the peer has not processed may be sent again, on another connection.
        const elsewhere = error instanceof Refusal && error.code === 'tunnel_unprocessed';
        if (!elsewhere || left === 1 || signal?.aborted) throw error;
      }
    }
  }

  /** Opens nothing any more; what is open finishes. */
  close(): void {
    this.#closed = true;
    this.#sweep?.cancel();
    for (const session of this.#sessions) session.drain();
  }

  async #session(signal: AbortSignal | undefined): Promise<S> {
    if (this.#closed) throw new Refusal('draining');
    const open = this.#usable();
    const roomy = open.find(({ room }) => room > 0);
    if (roomy) return roomy;
    // Full everywhere: the stream waits in the session for a place.
    if (open.length >= this.#options.mostSessions) return leastOf(open);
    return unlessAborted(this.#dialed(), signal);
  }

  #dialed(): Promise<S> {
    this.#dialing ??= this.#options.dial().then(
      (session) => {
        this.#dialing = undefined;
        this.#sessions.push(session);
        if (this.#closed) session.drain();
        this.#arm();
        return session;
      },
      (error: unknown) => {
        this.#dialing = undefined;
        throw error;
      },
    );
    return this.#dialing;
  }

  /** Those that are over or draining look after themselves. */
  #usable(): S[] {
    if (this.#sessions.some(isOver)) this.#sessions = this.#sessions.filter((session) => !isOver(session));
    return this.#sessions;
  }

  #arm(): void {
    const { clock, idleSeconds } = this.#options;
    if (this.#closed) return;
    this.#sweep ??= clock.after((idleSeconds * 1000) / 2, () => {
      this.#sweep = undefined;
      this.#look(clock.monotonic());
      if (this.#usable().length > 0) this.#arm();
    });
  }

  #look(now: number): void {
    const inUse = this.#dialing !== undefined || this.#usable().some(({ streams }) => streams > 0);
    if (inUse) this.#idleSince = undefined;
    else if (this.#idleSince === undefined) this.#idleSince = now;
    else if (now - this.#idleSince >= (this.#options.idleSeconds * 1000) / 2) {
      this.#idleSince = undefined;
      for (const session of this.#sessions) session.drain();
    }
  }
}

function isOver({ isClosed, isDraining }: PooledSession): boolean {
  return isClosed || isDraining;
}

function leastOf<S extends PooledSession>(sessions: readonly S[]): S {
  return sessions.reduce((least, session) => (session.streams < least.streams ? session : least));
}

/** The dial goes on for whoever else waits for it. */
function unlessAborted<S>(dial: Promise<S>, signal: AbortSignal | undefined): Promise<S> {
  if (!signal) return dial;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(new Refusal('upstream_unreachable', 'the caller left'));
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    dial.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
