/**
 * One pass over the field lines of a head: every byte is checked, the few fields that decide where the message ends
 * and whom it is for are read, and the rest is left as it is. It copies nothing.
 */
import { isDigit, isSpace, TAB } from './characters.ts';
import { readConnection, readUpgrade, wantsTrailers } from './connection-options.ts';
import { FIELD, type FieldKind, fieldKind } from './field-kind.ts';
import { endOfLine, endOfName } from './field-lines.ts';
import { type FieldNames, isWord } from './field-names.ts';
import type { HeadLimits, RawHead } from './head.ts';
import { malformed, tooLarge } from './http1-error.ts';
import { KeptHead } from './kept-head.ts';

const CHUNKED = Buffer.from('chunked');
const CLOSE = Buffer.from('close');
const KEEP_ALIVE = Buffer.from('keep-alive');
const GRPC = Buffer.from('application/grpc');
const CONTINUE = Buffer.from('100-continue');
/** What goes into logs as an id: short and without anything that a log reader could take for something else. */
const REQUEST_ID = /^[\w.:/+=-]{1,128}$/;
const NO_GAPS: readonly number[] = [];
const MOST_LENGTH_DIGITS = String(Number.MAX_SAFE_INTEGER).length;

export class FieldScan {
  /** How often each came. */
  hosts = 0;
  lengths = 0;
  codings = 0;
  expectations = 0;
  host = '';
  length = 0;
  close = false;
  keepAlive = false;
  upgradeListed = false;
  upgrade = '';
  wantsTrailers = false;
  announcesTrailers = false;
  /** By its Content-Type, which may go on: `application/grpc+proto`. */
  isGrpc = false;
  grpcStatus = '';
  /** '' unless there is exactly one that may go into a log. */
  requestId = '';
  /** A framing field in disguise was there. */
  disguised = false;
  readonly #head: RawHead;
  #requestIds = 0;
  /** Names that Connection lists, to be left out of what goes on, too. */
  #listed: string[] | undefined;
  readonly #from: number;
  /** Lines that do not go on: where each begins and ends. */
  #gaps: number[] | undefined;

  /**
   * @param from where the first field line begins in `head.bytes`
   * @throws {Http1Error}
   */
  constructor(head: RawHead, from: number, limits: HeadLimits, strip: FieldNames) {
    this.#head = head;
    this.#from = from;
    const { bytes, to } = head;
    let count = 0;
    for (let at = from; at < to; ) {
      const start = at;
      const colon = endOfName(bytes, at);
      at = endOfLine(bytes, colon + 1);
      if (++count > limits.fields) throw tooLarge('number of fields');
      const kind = fieldKind(bytes, start, colon - start);
      if (kind !== FIELD.other) this.#read(kind, colon + 1, at - 2);
      if (isLeftOut(kind) || strip.has(bytes, start, colon - start)) this.#leaveOut(start, at);
    }
  }

  /**
   * What goes on.
   * @param without lower case names of more fields that do not
   */
  kept(without: readonly string[]): KeptHead {
    const names = this.#listed === undefined ? without : [...without, ...this.#listed];
    const gaps = names.length === 0 ? (this.#gaps ?? NO_GAPS) : this.#gapsFor(names);
    return new KeptHead(this.#head, this.#from, gaps);
  }

  /** Whether a request id was there that cannot be taken. */
  get hasUselessRequestId(): boolean {
    return this.#requestIds > 0 && this.requestId === '';
  }

  #read(kind: FieldKind, from: number, to: number): void {
    const { bytes } = this.#head;
    let start = from;
    let end = to;
    while (start < end && isSpace(bytes[start])) start++;
    while (end > start && isSpace(bytes[end - 1])) end--;
    switch (kind) {
      case FIELD.host:
        this.hosts++;
        this.host = this.#textOf(start, end);
        break;
      case FIELD.contentLength:
        this.lengths++;
        refuseTabs(bytes, from, to);
        this.length = lengthIn(bytes, start, end);
        break;
      case FIELD.transferEncoding:
        this.codings++;
        refuseTabs(bytes, from, to);
        // RFC 9112 §6.1: chunked is the only coding that every recipient knows; others would have to be undone here.
        if (!isWord(bytes, start, end - start, CHUNKED)) throw malformed('Transfer-Encoding');
        break;
      case FIELD.connection:
        this.#readConnection(start, end);
        break;
      case FIELD.expect:
        this.expectations++;
        // RFC 9110 §10.1.1 knows one expectation only.
        if (!isWord(bytes, start, end - start, CONTINUE)) throw malformed('Expect');
        break;
      case FIELD.requestId:
        this.#requestIds++;
        this.requestId = this.#requestIds === 1 ? loggable(this.#textOf(start, end)) : '';
        break;
      case FIELD.contentType:
        this.isGrpc = end - start >= GRPC.length && isWord(bytes, start, GRPC.length, GRPC);
        break;
      case FIELD.disguised:
        this.disguised = true;
        break;
      default:
        this.#readText(kind, this.#textOf(start, end));
    }
  }

  #readText(kind: FieldKind, value: string): void {
    if (kind === FIELD.upgrade) {
      const upgrade = readUpgrade(value);
      this.upgrade = this.upgrade === '' ? upgrade : `${this.upgrade},${upgrade}`;
    } else if (kind === FIELD.te) this.wantsTrailers ||= wantsTrailers(value);
    else if (kind === FIELD.trailer) this.announcesTrailers = true;
    else if (kind === FIELD.grpcStatus) this.grpcStatus = value;
  }

  #readConnection(start: number, end: number): void {
    const { bytes } = this.#head;
    if (isWord(bytes, start, end - start, KEEP_ALIVE)) this.keepAlive = true;
    else if (isWord(bytes, start, end - start, CLOSE)) this.close = true;
    else {
      const options = readConnection(this.#textOf(start, end));
      this.close ||= options.close;
      this.keepAlive ||= options.keepAlive;
      this.upgradeListed ||= options.upgrade;
      if (options.fields.length > 0) this.#listed = [...(this.#listed ?? []), ...options.fields];
    }
  }

  #leaveOut(from: number, to: number): void {
    if (this.#gaps === undefined) this.#gaps = [from, to];
    else this.#gaps.push(from, to);
  }

  /** For what is rare: a second pass, which makes strings of every name. */
  #gapsFor(names: readonly string[]): number[] {
    const { bytes, to } = this.#head;
    const before = this.#gaps ?? NO_GAPS;
    const gaps: number[] = [];
    let known = 0;
    for (let at = this.#from; at < to; ) {
      const start = at;
      const colon = endOfName(bytes, at);
      at = endOfLine(bytes, colon + 1);
      if (before[known] === start) known += 2;
      else if (!names.includes(bytes.toString('latin1', start, colon).toLowerCase())) continue;
      gaps.push(start, at);
    }
    return gaps;
  }

  #textOf(from: number, to: number): string {
    const { text, from: base } = this.#head;
    return text.slice(from - base, to - base);
  }
}

function loggable(id: string): string {
  return REQUEST_ID.test(id) ? id : '';
}

function isLeftOut(kind: FieldKind): boolean {
  return (
    kind === FIELD.connection ||
    kind === FIELD.transferEncoding ||
    kind === FIELD.hopByHop ||
    kind === FIELD.upgrade ||
    kind === FIELD.te
  );
}

/** RFC 9110 §5.6.3 lets HTAB stand around a value. Some readers of framing fields take it for a part of it. */
function refuseTabs(bytes: Uint8Array, from: number, to: number): void {
  for (let at = from; at < to; at++) if (bytes[at] === TAB) throw malformed('HTAB in a framing field');
}

/** RFC 9110 §8.6: digits alone. Leading zeros are decimal to us and octal to some; above 2^53 - 1 numbers are not exact. */
function lengthIn(bytes: Uint8Array, from: number, to: number): number {
  const digits = to - from;
  if (digits < 1 || digits > MOST_LENGTH_DIGITS) throw malformed('Content-Length');
  let length = 0;
  for (let at = from; at < to; at++) {
    if (!isDigit(bytes[at])) throw malformed('Content-Length');
    length = length * 10 + (bytes[at]! - 0x30);
  }
  if (length > Number.MAX_SAFE_INTEGER || (digits > 1 && bytes[from] === 0x30)) throw malformed('Content-Length');
  return length;
}
