/**
 * Joins HEADERS and its CONTINUATIONs and decodes them (RFC 9113 §4.3, §6.2, §6.10). Bounded in bytes and in frames
 * while it gathers, so that a block that never ends costs nothing (CVE-2024-27316 and its kin).
 */
import { H2, protocolFault, SessionFault } from './error-codes.ts';
import { FLAG, FRAME } from './frame-format.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import type { Field } from './hpack-tables.ts';
import type { TunnelLimits } from './tunnel-limits.ts';

export interface HeaderBlock {
  readonly fields: Field[];
  /** END_STREAM was on its HEADERS. */
  readonly ends: boolean;
}

export class HeaderBlocks {
  readonly #limits: TunnelLimits;
  readonly #decoder: HpackDecoder;
  #parts: Buffer[] = [];
  #bytes = 0;
  #ends = false;

  constructor(limits: TunnelLimits) {
    this.#limits = limits;
    this.#decoder = new HpackDecoder(limits.headerListBytes);
  }

  /** The reader has seen to the order of the frames. @returns the block that is now complete */
  push(type: number, flags: number, bytes: Buffer, from: number, to: number): HeaderBlock | undefined {
    const fragment = type === FRAME.HEADERS ? this.#begin(flags, bytes, from, to) : bytes.subarray(from, to);
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

  /** RFC 9113 §6.2: padding and the deprecated priority stand around the fragment. */
  #begin(flags: number, bytes: Buffer, from: number, to: number): Buffer {
    this.#bytes = 0;
    this.#ends = (flags & FLAG.END_STREAM) !== 0;
    let start = from;
    let end = to;
    if ((flags & FLAG.PADDED) !== 0) {
      if (start === end) throw new SessionFault(H2.FRAME_SIZE_ERROR, 'HEADERS without its pad length');
      end -= bytes[start++]!;
    }
    if ((flags & FLAG.PRIORITY) !== 0) start += 5;
    if (start > end) throw protocolFault('padding longer than its frame');
    return bytes.subarray(start, end);
  }
}
