/**
 * Keep-alive connections to one destination. Free ones are used again, the latest first, so that surplus ones grow
 * old; a connection is kept only while its identities hold and its answers ended where they should. It retries nothing.
 */
import { Refusal } from '../../shared/errors/refusal.ts';
import { Http1Upstream, type UpstreamKeeper } from './http1-upstream.ts';
import type { IdleWatch, Watched } from './idle-watch.ts';
import { Linger } from './linger.ts';
import type { Upstream, UpstreamConnection } from './upstream.ts';

/** More free connections than this are not kept. Surplus ones end by the idle limit long before. */
const MOST_FREE = 1024;

export class Http1Pool implements UpstreamKeeper, Watched {
  readonly kind: Upstream['kind'];
  readonly #upstream: Upstream;
  readonly #watch: IdleWatch;
  readonly #idleSeconds: number;
  readonly #free: Http1Upstream[] = [];
  readonly #all = new Set<Http1Upstream>();
  #isWatching = false;
  #isClosed = false;

  /** @param idleSeconds after which an unused connection is closed; less than servers wait, so that they never close first */
  constructor(upstream: Upstream, watch: IdleWatch, idleSeconds: number) {
    this.kind = upstream.kind;
    this.#upstream = upstream;
    this.#watch = watch;
    this.#idleSeconds = idleSeconds;
  }

  /** One that is free. */
  take(): Http1Upstream | undefined {
    for (let found = this.#free.pop(); found !== undefined; found = this.#free.pop()) {
      if (found.isUsable) return found;
      this.end(found);
    }
    return undefined;
  }

  /** @throws {Refusal} why the destination cannot be reached or is not trusted */
  async dial(signal: AbortSignal): Promise<Http1Upstream> {
    const connection = await this.#upstream.dial(signal);
    const upstream = this.#entered(connection);
    if (connection.channel.isClosed) throw new Refusal('connection_broken', 'closed at once');
    return upstream;
  }

  /** A connection that is used once, and not kept. @throws {Refusal} as `dial` */
  connect(signal: AbortSignal): Promise<UpstreamConnection> {
    return this.#upstream.dial(signal);
  }

  /** Takes in a connection that was made elsewhere. */
  adopt(connection: UpstreamConnection): void {
    this.put(this.#entered(connection));
  }

  /** Takes one back whose answer has ended. */
  put(upstream: Http1Upstream): void {
    upstream.release();
    if (!upstream.isUsable || this.#isClosed || this.#free.length >= MOST_FREE) return void this.end(upstream);
    upstream.freeSince = 0;
    this.#free.push(upstream);
    if (this.#isWatching) return;
    this.#isWatching = true;
    this.#watch.add(this);
  }

  end(upstream: Http1Upstream): void {
    this.#leave(upstream);
    const { channel } = upstream;
    if (channel.isClosed || upstream.isEnding) return;
    upstream.isEnding = true;
    upstream.release();
    const closed = (): void => void this.#all.delete(upstream);
    new Linger({ channel, watch: this.#watch, idleSeconds: this.#idleSeconds, closed });
  }

  forget(upstream: Http1Upstream): void {
    this.#leave(upstream);
    this.#all.delete(upstream);
  }

  look(now: number): void {
    for (const upstream of [...this.#free]) {
      if (upstream.freeSince === 0) upstream.freeSince = now;
      else if (now - upstream.freeSince > this.#idleSeconds * 1000) this.end(upstream);
    }
    if (this.#free.length > 0) return;
    this.#isWatching = false;
    this.#watch.remove(this);
  }

  close(): void {
    this.#isClosed = true;
    for (const upstream of [...this.#free]) this.end(upstream);
    for (const { channel, isEnding } of [...this.#all]) if (!isEnding) channel.abort(new Refusal('draining'));
  }

  #entered(connection: UpstreamConnection): Http1Upstream {
    const upstream = new Http1Upstream(connection, this);
    this.#all.add(upstream);
    if (this.#isClosed) connection.channel.abort(new Refusal('draining'));
    return upstream;
  }

  #leave(upstream: Http1Upstream): void {
    const at = this.#free.indexOf(upstream);
    if (at >= 0) this.#free.splice(at, 1);
  }
}
