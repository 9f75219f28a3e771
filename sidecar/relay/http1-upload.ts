/**
 * The body of a request on its way to the destination, as it came. What comes before the destination is there waits,
 * and its sender with it. When nobody wants it any more it is still read to its end, because the next request begins
 * only there.
 */
import type { RequestHead } from '../../shared/http1/head.ts';
import type { Channel, HeadBytes } from '../channel/channel.ts';
import { Http1Body } from './http1-body.ts';

const NOTHING = Buffer.alloc(0);

export class Http1Upload {
  /** The caller has sent all of it. */
  isRead = true;
  /** No more may be taken from the caller for now. */
  isBlocked = false;
  readonly #body = new Http1Body();
  #waiting: Buffer = NOTHING;
  #to: Channel | undefined;
  #isDiscarded = false;

  /** Of what came, without the framing of chunks. */
  get bytes(): number {
    return this.#body.bytes;
  }

  begin({ framing }: RequestHead): void {
    this.#body.begin(framing);
    this.isRead = this.#body.isDone;
    this.isBlocked = false;
    this.#isDiscarded = false;
    this.#to = undefined;
    this.#waiting = NOTHING;
  }

  /**
   * The part that came with the head, before anything was sent.
   * @returns the index behind it
   * @throws {Http1Error}
   */
  measure(bytes: Buffer, from: number): number {
    if (this.isRead) return from;
    const end = this.#body.take(bytes, from);
    this.isRead = this.#body.isDone;
    return end;
  }

  /** Head and first part as one. */
  start(to: Channel, head: HeadBytes, bytes: Buffer, from: number, end: number, lent: boolean): void {
    const room = to.writeHead(head, bytes, from, end, lent);
    if (this.isRead) return;
    this.#to = to;
    this.isBlocked = !room;
  }

  /** Keeps the first part until the destination is there. */
  wait(bytes: Buffer, from: number, end: number): void {
    this.isBlocked = !this.isRead;
    this.#keep(bytes, from, end);
  }

  /** The destination is there. */
  startWaiting(to: Channel, head: HeadBytes): void {
    const waiting = this.#waiting;
    this.#waiting = NOTHING;
    this.start(to, head, waiting, 0, waiting.length, false);
  }

  /**
   * @returns the index in `bytes` behind what belongs to the body
   * @throws {Http1Error}
   */
  take(bytes: Buffer, from: number, lent: boolean, more: boolean): number {
    const end = this.#body.take(bytes, from);
    this.isRead = this.#body.isDone;
    if (this.#isDiscarded || end === from) return end;
    if (this.#to === undefined) this.#keep(bytes, from, end);
    else {
      const part = from === 0 && end === bytes.length ? bytes : bytes.subarray(from, end);
      const room = this.#to.write(part, lent, more && end === bytes.length);
      this.isBlocked = !room && !this.isRead;
    }
    if (this.isRead) this.#to = undefined;
    return end;
  }

  /** The rest goes nowhere. */
  discard(): void {
    this.#to = undefined;
    this.#waiting = NOTHING;
    this.isBlocked = false;
    this.#isDiscarded = true;
  }

  #keep(bytes: Buffer, from: number, end: number): void {
    if (end > from) this.#waiting = Buffer.concat([this.#waiting, bytes.subarray(from, end)]);
  }
}
