/**
 * Carries any TCP protocol: dials first, so that a server may speak first, then moves bytes both ways. What the
 * client sends meanwhile waits in its socket. It reads nothing, so it can neither add nor check a header.
 */
import type { Socket } from 'node:net';
import type { Clock } from '../../shared/clock/clock.ts';
import { asRefusal, type Refusal } from '../../shared/errors/refusal.ts';
import type { Log } from '../../shared/log/log.ts';
import type { ServedConnection } from '../telemetry/served-request.ts';
import { leaveErrorsToClose } from './app-upstream.ts';
import { cutSocket } from './close-socket.ts';
import { IdleWatch } from './idle-watch.ts';
import type { Accepted, Carrier, Relay } from './relay.ts';
import { SplicePair } from './splice-pair.ts';
import type { Upstream, UpstreamConnection } from './upstream.ts';

/** Counts one connection while it lasts. */
export interface FlowObserver {
  flowed(sentBytes: number, receivedBytes: number): void;
  closed(served: ServedConnection): void;
}

export interface TcpObserver {
  connectionOpened(who: { peer: string | undefined; own: string | undefined }): FlowObserver;
  /** Once for everything that was refused or cut. */
  refused(refusal: Refusal): void;
}

export interface TcpSpliceOptions {
  readonly upstream: Upstream;
  readonly idleSeconds: number;
  readonly clock: Clock;
  /** Carries direction and listener. */
  readonly log: Log;
  readonly observer: TcpObserver;
}

export class TcpSplice implements Relay {
  readonly #options: TcpSpliceOptions;
  readonly #watch: IdleWatch;
  readonly #carried = new Map<Socket, Carrier | undefined>();

  constructor(options: TcpSpliceOptions) {
    this.#options = options;
    this.#watch = new IdleWatch(options.clock, options.idleSeconds);
  }

  accept(accepted: Accepted): void {
    const { socket } = accepted;
    if (socket.destroyed) return;
    leaveErrorsToClose(socket);
    // TCP and TLS end their directions one by one.
    socket.allowHalfOpen = true;
    this.#carried.set(socket, undefined);
    socket.once('close', () => this.#carried.delete(socket));
    accepted.connection.requests++;
    void this.#carry(accepted);
  }

  drain(): void {
    for (const carrier of this.#carried.values()) carrier?.retire('draining');
  }

  close(): void {
    for (const socket of this.#carried.keys()) cutSocket(socket);
  }

  async #carry(accepted: Accepted): Promise<void> {
    const { socket, connection, peer, own } = accepted;
    const startedAt = this.#watch.now();
    const left = new AbortController();
    const leave = (): void => left.abort();
    socket.once('close', leave);
    let upstream: UpstreamConnection;
    try {
      upstream = await this.#options.upstream.dial(left.signal);
    } catch (error) {
      if (left.signal.aborted) return;
      this.#tell(asRefusal(error, 'upstream_unreachable'), accepted);
      return cutSocket(socket);
    }
    socket.off('close', leave);
    if (socket.destroyed) return void upstream.socket.destroy();
    const who = {
      peer: upstream.peer?.spiffeId.uri ?? peer?.spiffeId.uri,
      own: upstream.own?.spiffeId.uri ?? own?.spiffeId.uri,
    };
    const flow = this.#options.observer.connectionOpened(who);
    const { bytes, pair } = this.#pair(accepted, upstream, flow, (why) => {
      if (why) this.#tell(why, accepted);
      flow.closed({ ...who, ...bytes(), refusal: why?.code ?? '', durationMs: this.#watch.now() - startedAt });
    });
    this.#carried.set(socket, pair);
    connection.carriedBy(pair);
    upstream.connection?.carriedBy(pair);
    pair.join();
  }

  #pair(
    { socket, peer }: Accepted,
    upstream: UpstreamConnection,
    flow: FlowObserver,
    over: (why: Refusal | undefined) => void,
  ) {
    const { clock, idleSeconds } = this.#options;
    // Bytes are counted on the plaintext side: the other one counts what TLS makes of them.
    const bytes = (): Pick<ServedConnection, 'receivedBytes' | 'sentBytes'> =>
      peer
        ? { receivedBytes: upstream.socket.bytesWritten, sentBytes: upstream.socket.bytesRead }
        : { receivedBytes: socket.bytesRead, sentBytes: socket.bytesWritten };
    const flowed = (): void => {
      const { sentBytes, receivedBytes } = bytes();
      flow.flowed(sentBytes, receivedBytes);
    };
    const pair = new SplicePair({
      client: socket,
      upstream: upstream.socket,
      clock,
      watch: this.#watch,
      idleSeconds,
      flowed,
      over,
    });
    return { bytes, pair };
  }

  #tell(refusal: Refusal, { peer }: Accepted): void {
    const { code, detail } = refusal;
    this.#options.log.warn('connection_refused', { code, reason: detail, peer: peer?.spiffeId.uri });
    this.#options.observer.refused(refusal);
  }
}
