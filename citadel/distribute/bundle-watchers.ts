/**
 * Everyone who watches: each gets the whole bundle first and every newer one as it comes, and acknowledges what
 * it has in use. A version is the sequence of the bundle, so it means the same to every replica and after a restart.
 */
import type { WatchMessage } from '../../shared/api/messages.ts';
import { type Clock, pause } from '../../shared/clock/clock.ts';
import { Refusal } from '../../shared/errors/refusal.ts';
import { encodeBundle, type TrustBundle } from '../../shared/spiffe/trust-bundle.ts';
import { type Acknowledged, Acknowledgements } from './acknowledgements.ts';
import { type LineSink, type StreamEnd, WatchStream } from './watch-stream.ts';

export interface Watcher {
  readonly podUid: string;
  readonly tokenExpiresAt: number;
}

export interface BundleWatchersOptions {
  readonly clock: Clock;
  readonly bundle: TrustBundle;
  readonly mostWatchers: number;
  readonly mostQueuedBytes: number;
  readonly heartbeatMs?: number;
  readonly onEnd?: (why: StreamEnd) => void;
}

const HEARTBEAT_MS = 15_000;
/** A sidecar that lost its connection comes back before citadel notices; more than this is no sidecar of ours. */
const MOST_PER_POD = 2;
/** Streams written to before other work gets its turn. */
const PER_TURN = 256;

export class BundleWatchers {
  readonly #options: BundleWatchersOptions;
  readonly #byPod = new Map<string, WatchStream[]>();
  readonly #acknowledgements: Acknowledgements;
  #count = 0;
  #version: number;
  #line: string;

  constructor(options: BundleWatchersOptions) {
    this.#options = options;
    this.#acknowledgements = new Acknowledgements(options.mostWatchers * 2);
    this.#version = options.bundle.sequence;
    this.#line = lineOf(options.bundle);
  }

  get count(): number {
    return this.#count;
  }

  get version(): number {
    return this.#version;
  }

  /** Before anything is written: is there room? @throws {Refusal} watch_limit */
  checkRoom(): void {
    if (this.#count >= this.#options.mostWatchers) throw new Refusal('watch_limit', { retryAfterSeconds: 5 });
  }

  /** Begins a stream with the whole bundle. The caller tells it with `end('left')` when the reader has gone. */
  add({ podUid, tokenExpiresAt }: Watcher, sink: LineSink): WatchStream {
    const { clock, heartbeatMs = HEARTBEAT_MS, mostQueuedBytes, onEnd } = this.#options;
    const stream = new WatchStream({
      sink,
      clock,
      endsAt: tokenExpiresAt,
      heartbeatMs,
      mostQueued: mostQueuedBytes,
      onEnd: (why) => {
        this.#remove(podUid, stream);
        onEnd?.(why);
      },
    });
    this.#count++;
    this.#acknowledgements.joined(podUid, tokenExpiresAt);
    const streams = this.#byPod.get(podUid) ?? [];
    this.#byPod.set(podUid, [...streams, stream]);
    if (streams.length >= MOST_PER_POD) streams[0]!.end('replaced');
    this.#send(podUid, stream);
    return stream;
  }

  /** Sends a newer bundle to everyone; one that is not newer is ignored. */
  async publish(bundle: TrustBundle): Promise<void> {
    if (bundle.sequence <= this.#version) return;
    this.#version = bundle.sequence;
    this.#line = lineOf(bundle);
    let written = 0;
    for (const [podUid, streams] of [...this.#byPod]) {
      for (const stream of streams) this.#send(podUid, stream);
      written += streams.length;
      if (written % PER_TURN < streams.length) await pause(this.#options.clock, 0);
    }
  }

  /** @throws {Refusal} acknowledgement_unknown */
  acknowledge(podUid: string, version: number): void {
    this.#acknowledgements.acknowledge(podUid, version);
  }

  acknowledgedBy(version: number): Acknowledged {
    return this.#acknowledgements.acknowledgedBy(version, this.#options.clock.now());
  }

  /** Lowest version in use among those who watch; the present one when nobody does. */
  lowestAcknowledged(): number {
    return this.#acknowledgements.lowest(this.#options.clock.now()) ?? this.#version;
  }

  /** Ends every stream; sidecars come back to another replica. */
  drain(): void {
    for (const streams of [...this.#byPod.values()]) {
      for (const stream of streams) stream.end('drained');
    }
  }

  #send(podUid: string, stream: WatchStream): void {
    if (stream.ended || stream.version >= this.#version) return;
    stream.version = this.#version;
    this.#acknowledgements.sent(podUid, this.#version);
    stream.send(this.#line);
  }

  #remove(podUid: string, stream: WatchStream): void {
    const left = (this.#byPod.get(podUid) ?? []).filter((one) => one !== stream);
    if (left.length > 0) this.#byPod.set(podUid, left);
    else this.#byPod.delete(podUid);
    this.#count--;
    this.#acknowledgements.left(podUid);
  }
}

function lineOf(bundle: TrustBundle): string {
  const { trustDomain, sequence } = bundle;
  const message: WatchMessage = { type: 'bundle', version: sequence, trustDomain, bundle: encodeBundle(bundle) };
  return `${JSON.stringify(message)}\n`;
}
