/**
 * The body of a request on its way to the destination, trailers included. When nobody wants it any more it is still
 * read to its end, because the next request on the caller's connection begins only there.
 */
import type { ClientRequest, IncomingMessage } from 'node:http';
import { trailersOf } from './answer-forward.ts';
import { BodyPump } from './body-pump.ts';
import type { CheckedRequest } from './request-rules.ts';

export class RequestUpload {
  readonly #request: IncomingMessage;
  readonly #chunked: boolean;
  readonly #moved: () => void;
  #pump: BodyPump | undefined;
  #complete: boolean;
  #bytes = 0;

  /** @param moved called for every piece that goes over */
  constructor(request: IncomingMessage, { hasBody, chunked }: CheckedRequest, moved: () => void) {
    this.#request = request;
    this.#chunked = chunked;
    this.#moved = moved;
    this.#complete = !hasBody;
  }

  /** Whether the caller has nothing more to send. */
  get complete(): boolean {
    return this.#complete;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether the caller could send more, and this side is ready for it. */
  get waitsForCaller(): boolean {
    return !this.#complete && !this.#pump?.held;
  }

  start(call: ClientRequest): void {
    if (this.#complete) {
      call.end();
      return;
    }
    const moved = (bytes: number): void => {
      this.#bytes += bytes;
      this.#moved();
    };
    const ended = (): void => {
      this.#complete = true;
      if (this.#chunked) call.addTrailers(trailersOf(this.#request));
      call.end();
    };
    this.#pump = new BodyPump(this.#request, call, { moved, ended });
    // The head goes out with the first piece of the body, or now when there is none yet: the app may answer the head alone.
    setImmediate(() => {
      if (this.#bytes === 0 && !call.destroyed && !call.writableEnded) call.flushHeaders();
    });
  }

  /** @param read called when the caller has sent the rest; not called when it already had */
  discard(read: () => void): void {
    if (this.#complete) return;
    if (this.#pump) this.#pump.stop();
    else this.#request.resume();
    this.#request.once('end', () => {
      this.#complete = true;
      read();
    });
  }
}
