/**
 * Moves the body of one HTTP message into another, at the speed of the slower side and without keeping more than
 * the streams themselves hold. Bytes stay as they are; where chunks begin and end may change. It ends nothing.
 */
import type { IncomingMessage, OutgoingMessage } from 'node:http';

export interface PumpEvents {
  /** Some bytes went over. */
  readonly moved: (bytes: number) => void;
  /** The source has told all of its body and trailers. */
  readonly ended: () => void;
}

export class BodyPump {
  readonly #from: IncomingMessage;
  readonly #to: OutgoingMessage;
  readonly #events: PumpEvents;
  #stopped = false;

  constructor(from: IncomingMessage, to: OutgoingMessage, events: PumpEvents) {
    this.#from = from;
    this.#to = to;
    this.#events = events;
    from.on('data', this.#onData);
    from.on('end', this.#onEnd);
    to.on('drain', this.#onDrain);
  }

  /** Whether the source waits for the sink. */
  get held(): boolean {
    return !this.#stopped && this.#from.isPaused();
  }

  /** Lets the source run into the void, so that what follows it on its connection can be read. */
  stop(): void {
    this.#stopped = true;
    this.#from.off('data', this.#onData).off('end', this.#onEnd);
    this.#to.off('drain', this.#onDrain);
    this.#from.resume();
  }

  readonly #onData = (part: Buffer): void => {
    this.#events.moved(part.length);
    if (!this.#to.write(part)) this.#from.pause();
  };

  readonly #onDrain = (): void => {
    this.#from.resume();
  };

  readonly #onEnd = (): void => {
    this.#events.ended();
  };
}
