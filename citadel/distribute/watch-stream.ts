/**
 * One watching sidecar: lines out, heartbeats while nothing happens, and an end for every stream. Its memory is
 * bounded: whoever reads too slowly is cut off and comes back for the full state. It knows nothing of HTTP.
 */
import type { Clock, Timer } from '../../shared/clock/clock.ts';

/** What a stream writes to; a ServerResponse is one. */
export interface LineSink {
  write(line: string): unknown;
  end(): unknown;
  destroy(): unknown;
  readonly writableLength: number;
}

export type StreamEnd = 'token_expired' | 'slow_reader' | 'drained' | 'replaced' | 'left';

export interface WatchStreamOptions {
  readonly sink: LineSink;
  readonly clock: Clock;
  /** Milliseconds since the epoch. */
  readonly endsAt: number;
  readonly heartbeatMs: number;
  /** Most bytes that may wait in the sink. */
  readonly mostQueued: number;
  readonly onEnd: (why: StreamEnd) => void;
}

export class WatchStream {
  readonly #options: WatchStreamOptions;
  readonly #expiry: Timer;
  #heartbeat: Timer | undefined;
  #ended = false;
  /** Version of the last bundle sent. */
  version = -1;

  constructor(options: WatchStreamOptions) {
    this.#options = options;
    this.#expiry = options.clock.after(options.endsAt - options.clock.now(), () => this.end('token_expired'));
    this.#armHeartbeat();
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** @param line one JSON document with its line feed */
  send(line: string): void {
    if (this.#ended) return;
    const { sink, mostQueued } = this.#options;
    if (sink.writableLength + line.length > mostQueued) this.end('slow_reader');
    else {
      sink.write(line);
      this.#armHeartbeat();
    }
  }

  end(why: StreamEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#expiry.cancel();
    this.#heartbeat?.cancel();
    // A slow reader would not read the end either; everyone else gets the last lines.
    if (why === 'slow_reader') this.#options.sink.destroy();
    else if (why !== 'left') this.#options.sink.end();
    this.#options.onEnd(why);
  }

  #armHeartbeat(): void {
    const { clock, heartbeatMs } = this.#options;
    this.#heartbeat?.cancel();
    this.#heartbeat = clock.after(heartbeatMs, () => {
      this.send(`{"type":"heartbeat","serverTime":"${new Date(clock.now()).toISOString()}"}\n`);
    });
  }
}
