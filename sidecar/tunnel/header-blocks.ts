/**
 * Joins HEADERS and its CONTINUATIONs and decodes them (RFC 9113 §4.3, §6.2, §6.10). Bounded in bytes and in frames
 * while it gathers, so that a block that never ends costs nothing (CVE-2024-27316 and its kin).
 */
import { H2, protocolFault, SessionFault } from './error-codes.ts';
import { FLAG, FRAME } from './frame-format.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import type { Field } from './hpack-tables.ts';
import type { TunnelLimits } from './tunnel-limits.ts';

export interface BlockLimits extends Pick<TunnelLimits, 'headerListBytes' | 'continuations'> {
  /** To which the sender's table may grow; absent: the default of the protocol. */
  readonly tableBytes?: number;
}

export interface HeaderBlock {
  readonly fields: Field[];
  /** END_STREAM was on its HEADERS. */
  readonly ends: boolean;
}

export class HeaderBlocks {
  readonly #limits: BlockLimits;
  readonly #decoder: HpackDecoder;
  #parts: Buffer[] = [];
  #bytes = 0;
  #ends = false;

  constructor(limits: BlockLimits) {
    this.#limits = limits;
    this.#decoder = new HpackDecoder(limits.headerListBytes, limits.tableBytes);
  }

  /** The reader has seen to the order of the frames. @returns the block that is now complete */
  push(type: number, flags: number, bytes: Buffer, from: number, to: number): HeaderBlock | undefined {
    const goesOn = type === FRAME.CONTINUATION;
    const fragment = goesOn ? bytes.subarray(from, to) : this.#begin(type, flags, bytes, from, to);
    const isLast = (flags & FLAG.END_HEADERS) !== 0;
    this.#bytes += fragment.length;
    // Even without compression a block within the limit is not longer than its list.
    if (this.#bytes > this.#limits.headerListBytes || this.#parts.length > this.#limits.continuations) {
      throw new SessionFault(H2.ENHANCE_YOUR_CALM, 'a header block that is too large');
    }
    if (!isLast) {
      this.#parts.push(Buffer.from(fragment));
      return undefined;
    }
    const whole = this.#parts.length === 0 ? fragment : Buffer.concat([...this.#parts, fragment]);
    this.#parts = [];
    return { fields: this.#decoder.decode(whole), ends: this.#ends };
  }

  /** RFC 9113 §6.2, §6.6: padding, and the deprecated priority or the promised stream, stand around the fragment. */
  #begin(type: number, flags: number, bytes: Buffer, from: number, to: number): Buffer {
    this.#bytes = 0;
    this.#ends = (flags & FLAG.END_STREAM) !== 0;
    let start = from;
    let end = to;
    if ((flags & FLAG.PADDED) !== 0) {
      if (start === end) throw new SessionFault(H2.FRAME_SIZE_ERROR, 'a header block without its pad length');
      end -= bytes[start++]!;
    }
    if (type === FRAME.PUSH_PROMISE) start += 4;
    else if ((flags & FLAG.PRIORITY) !== 0) start += 5;
    if (start > end) throw protocolFault('padding longer than its frame');
    return bytes.subarray(start, end);
  }
}
