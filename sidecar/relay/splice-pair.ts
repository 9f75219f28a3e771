/**
 * Two sockets whose bytes are each other's: how the pair ends. A direction that ends is ended on the other side
 * and the opposite direction goes on; a socket that breaks breaks the other one. It ends, gently first, with the
 * identity behind it. It never looks at a byte.
 */
import type { Socket } from 'node:net';
import type { Clock } from '../../shared/clock/clock.ts';
import { Refusal } from '../../shared/errors/refusal.ts';
import { cutSocket, endSocket } from './close-socket.ts';
import type { IdleWatch, Watched } from './idle-watch.ts';
import type { Carrier, RetirementReason } from './relay.ts';

export interface SplicePairOptions {
  /** The one who connected. */
  readonly client: Socket;
  readonly upstream: Socket;
  readonly clock: Clock;
  readonly watch: IdleWatch;
  readonly idleSeconds: number;
  /** Called now and then while bytes flow. */
  readonly flowed?: () => void;
  /** Once, when both sockets are closed. */
  readonly over: (why: Refusal | undefined) => void;
}

export class SplicePair implements Carrier, Watched {
  readonly #options: SplicePairOptions;
  #why: Refusal | undefined;
  #bytes = 0;
  #movedAt: number;
  #endWhenQuiet = false;
  #closed = 0;

  constructor(options: SplicePairOptions) {
    this.#options = options;
    const { client, upstream, watch } = options;
    this.#movedAt = watch.now();
    // At the error already, before anyone else ends the other socket in order: a broken stream must not look finished.
    client.on('error', () => cutSocket(upstream));
    upstream.on('error', () => cutSocket(client));
    client.once('close', () => this.#onClose(client, upstream));
    upstream.once('close', () => this.#onClose(upstream, client));
    watch.add(this);
  }

  /** Joins the two: half-close, back-pressure and order are those of `pipe`. */
  join(): void {
    const { client, upstream } = this.#options;
    client.pipe(upstream);
    upstream.pipe(client);
  }

  look(now: number): void {
    const { client, idleSeconds, flowed } = this.#options;
    const bytes = client.bytesRead + client.bytesWritten;
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#movedAt = now;
      flowed?.();
    } else if (this.#endWhenQuiet) this.#end(this.#why);
    else if (now - this.#movedAt > idleSeconds * 1000) this.#end(new Refusal('connection_idle'));
  }

  /** A stream of bytes has no end that could be asked for: only shutting down ends it before its time, at a quiet moment. */
  retire(reason: RetirementReason): void {
    if (reason === 'draining') this.#endWhenQuiet = true;
  }

  expire(): void {
    this.#why ??= new Refusal('connection_expired');
    this.#endWhenQuiet = true;
  }

  cut(why: Refusal): void {
    this.#why ??= why;
    cutSocket(this.#options.client);
    cutSocket(this.#options.upstream);
  }

  #end(why: Refusal | undefined): void {
    this.#why ??= why;
    const { client, upstream, clock, watch } = this.#options;
    watch.remove(this);
    endSocket(client, clock);
    endSocket(upstream, clock);
  }

  #onClose(closed: Socket, other: Socket): void {
    const { watch, over } = this.#options;
    // Both directions were ended in order: the other socket only has to send what it still holds.
    if (!closed.readableEnded || !other.readableEnded) cutSocket(other);
    if (++this.#closed < 2) return;
    watch.remove(this);
    over(this.#why);
  }
}
