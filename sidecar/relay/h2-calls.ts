/**
 * Counts the calls inside an HTTP/2 connection of the app (gRPC above all) by reading along: the bytes are carried by
 * others and never changed, delayed or held for it. What it cannot read it gives up, for this connection and for good:
 * then the connection goes on uncounted. It never throws and never refuses anything.
 */
import type { Clock } from '../../shared/clock/clock.ts';
import type { Refusal, RefusalCode } from '../../shared/errors/refusal.ts';
import type { ServedRequest } from '../telemetry/served-request.ts';
import { H2, protocolFault, SessionFault } from '../tunnel/error-codes.ts';
import type { Field } from '../tunnel/hpack-tables.ts';
import { type CallEnd, H2Call } from './h2-call.ts';
import { H2_CALL_LIMITS, type H2CallLimits } from './h2-call-limits.ts';
import { type DirectionEvents, H2Direction } from './h2-direction.ts';

/**
 * Why a connection is not read any more. `not_http2`: it never was; `internal`: our own fault, or that of the observer.
 */
export type LostReason = 'not_http2' | 'malformed' | 'header_compression' | 'over_limit' | 'internal';

export interface H2CallsOptions {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly limits?: H2CallLimits;
  /** Whom both ends of the authenticated leg proved to be. */
  readonly who: Pick<ServedRequest, 'peer' | 'own'>;
  /** How a call is counted that the server's side broke off. */
  readonly resetCode: RefusalCode;
  readonly served: (call: ServedRequest) => void;
  /** At most once. Calls that were under way are not told. */
  readonly lost: (reason: LostReason) => void;
}

const CARRIED: CallEnd = { refusal: '', callerLeft: false };
const CALLER_LEFT: CallEnd = { refusal: '', callerLeft: true };

export class H2Calls {
  readonly #options: H2CallsOptions;
  /** Absent when there is nothing to read any more. */
  #reading: Reading | undefined;

  constructor(options: H2CallsOptions) {
    this.#options = options;
    this.#reading = new Reading(options);
  }

  /** Bytes are counted on; false after `lost` and `ended`. */
  get isReading(): boolean {
    return this.#reading !== undefined;
  }

  /** Bytes that the client sent, in order. They may be lent. */
  fromClient(bytes: Buffer): void {
    if (this.#reading !== undefined) this.#push(this.#reading.client, bytes);
  }

  /** Bytes that the server sent, in order. A request has to be seen before its answer. */
  fromServer(bytes: Buffer): void {
    if (this.#reading !== undefined) this.#push(this.#reading.server, bytes);
  }

  /**
   * The connection is over, and with it the calls that were under way.
   * @param failure why it broke; undefined when it ended in order
   * @param callerLeft it was the client who ended it
   */
  ended(failure: Refusal | undefined, callerLeft = false): void {
    const reading = this.#reading;
    this.#reading = undefined;
    if (reading === undefined) return;
    const end = callerLeft ? CALLER_LEFT : { refusal: failure?.code ?? this.#options.resetCode, callerLeft: false };
    try {
      reading.endAll(end);
    } catch {
      // Not of the data path, and there is nothing left to read: told as any fault of ours.
      this.#options.lost('internal');
    }
  }

  #push(direction: H2Direction, bytes: Buffer): void {
    try {
      direction.push(bytes);
    } catch (error) {
      // Whatever is wrong with the reading must not become a fault of the connection.
      this.#reading = undefined;
      this.#options.lost(direction.hasBegun ? reasonOf(error) : 'not_http2');
    }
  }
}

function reasonOf(error: unknown): LostReason {
  if (!(error instanceof SessionFault)) return 'internal';
  if (error.code === H2.COMPRESSION_ERROR) return 'header_compression';
  return error.code === H2.ENHANCE_YOUR_CALM ? 'over_limit' : 'malformed';
}

/** Both directions, and the calls under way between them. */
class Reading {
  readonly client: H2Direction;
  readonly server: H2Direction;
  readonly #options: H2CallsOptions;
  readonly #limits: H2CallLimits;
  readonly #calls = new Map<number, H2Call>();
  #lastStream = 0;

  constructor(options: H2CallsOptions) {
    this.#options = options;
    this.#limits = options.limits ?? H2_CALL_LIMITS;
    this.client = new H2Direction(this.#ofClient(), this.#limits, true);
    this.server = new H2Direction(this.#ofServer(), this.#limits, false);
  }

  endAll(end: CallEnd): void {
    for (const stream of this.#calls.keys()) this.#end(stream, end);
  }

  #ofClient(): DirectionEvents {
    const calls = this.#calls;
    return {
      follows: (stream) => calls.has(stream),
      // Of a call that is known: trailers of the request.
      onFields: (stream, fields) => void (calls.has(stream) || this.#begin(stream, fields)),
      onData: (stream, bytes) => {
        const call = calls.get(stream);
        if (call !== undefined) call.requestBytes += bytes;
      },
      onDataEnd: () => {},
      onReset: (stream) => this.#end(stream, CALLER_LEFT),
      // It speaks of streams that the server opens.
      onGoAway: () => {},
    };
  }

  #ofServer(): DirectionEvents {
    const calls = this.#calls;
    const reset: CallEnd = { refusal: this.#options.resetCode, callerLeft: false };
    return {
      follows: (stream) => calls.has(stream),
      onFields: (stream, fields, ends) => {
        calls.get(stream)?.answered(fields, ends);
        if (ends) this.#end(stream, CARRIED);
      },
      onData: (stream, bytes) => {
        const call = calls.get(stream);
        if (call !== undefined) call.answerBytes += bytes;
      },
      onDataEnd: (stream) => this.#end(stream, CARRIED),
      onReset: (stream) => this.#end(stream, reset),
      // RFC 9113 §6.8: streams above the last one were not processed and get no answer.
      onGoAway: (lastStream) => {
        for (const stream of calls.keys()) if (stream > lastStream) this.#end(stream, reset);
      },
    };
  }

  #begin(stream: number, fields: readonly Field[]): void {
    // RFC 9113 §5.1.1: a client's streams are odd, and each is higher than those before. Lower ones are over.
    if (stream % 2 === 0) throw protocolFault(`a request on stream ${stream}`);
    if (stream <= this.#lastStream) return;
    if (this.#calls.size >= this.#limits.calls) throw new SessionFault(H2.ENHANCE_YOUR_CALM, 'too many calls');
    this.#lastStream = stream;
    this.#calls.set(stream, new H2Call(fields, this.#options.clock.monotonic()));
  }

  /** Nothing when it is over already: whoever ended it first counts. */
  #end(stream: number, end: CallEnd): void {
    const call = this.#calls.get(stream);
    if (call === undefined) return;
    this.#calls.delete(stream);
    const { clock, who, served } = this.#options;
    served(call.served(clock.monotonic(), end, who));
  }
}
