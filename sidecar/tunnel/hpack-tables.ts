/** The tables of HPACK: the static one (RFC 7541 Appendix A) and the dynamic one (RFC 7541 §2.3, §4). */
import { hpackFault } from './hpack-fault.ts';

export type Field = readonly [name: string, value: string];

/** RFC 7541 Appendix A, in its order; `name=value`, or a name alone. */
const STATIC_TEXT = `:authority :method=GET :method=POST :path=/ :path=/index.html :scheme=http :scheme=https :status=200
:status=204 :status=206 :status=304 :status=400 :status=404 :status=500 accept-charset
accept-encoding=gzip,_deflate accept-language accept-ranges accept access-control-allow-origin age allow authorization
cache-control content-disposition content-encoding content-language content-length content-location content-range
content-type cookie date etag expect expires from host if-match if-modified-since if-none-match if-range
if-unmodified-since last-modified link location max-forwards proxy-authenticate proxy-authorization range referer
refresh retry-after server set-cookie strict-transport-security transfer-encoding user-agent vary via www-authenticate`;

export const STATIC_TABLE: readonly Field[] = STATIC_TEXT.split(/\s+/).map((entry) => {
  const [name = '', value = ''] = entry.split('=');
  return [name, value.replace('_', ' ')];
});

/** RFC 7541 §4.1: the octets of both, and 32. */
export function sizeOfField([name, value]: Field): number {
  return name.length + value.length + 32;
}

/** What the peer's encoder has put aside. Its size is bounded by what our SETTINGS allowed. */
export class DynamicTable {
  /** The newest last. */
  readonly #entries: Field[] = [];
  readonly #allowed: number;
  #capacity: number;
  #size = 0;

  /**
   * @param capacity until the encoder says another one: the default of SETTINGS_HEADER_TABLE_SIZE
   * @param allowed the largest one that it may say
   */
  constructor(capacity: number, allowed = capacity) {
    this.#allowed = allowed;
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#size;
  }

  /** RFC 7541 §6.3: the new maximum must not exceed what the protocol allowed. */
  resize(capacity: number): void {
    if (capacity > this.#allowed) throw hpackFault(`a dynamic table of ${capacity} bytes`);
    this.#capacity = capacity;
    this.#evict();
  }

  /** RFC 7541 §4.4: an entry that is too large for the table empties it, and that is no error. */
  add(field: Field): void {
    this.#entries.push(field);
    this.#size += sizeOfField(field);
    this.#evict();
  }

  /** RFC 7541 §2.3.3: one address space, the static table first, then the newest entry. Zero and beyond are errors. */
  at(index: number): Field {
    const field = STATIC_TABLE[index - 1] ?? this.#entries[this.#entries.length - (index - STATIC_TABLE.length)];
    if (field === undefined) throw hpackFault(`index ${index}`);
    return field;
  }

  #evict(): void {
    let gone = 0;
    while (this.#size > this.#capacity) this.#size -= sizeOfField(this.#entries[gone++]!);
    if (gone > 0) this.#entries.splice(0, gone);
  }
}
