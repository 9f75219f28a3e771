/**
 * Which intermediates one authority was found to have signed. The same few come with every handshake, and a signature
 * by a P-384 root costs a sixth of one to check. What held once for a key and these very bytes always holds; dates and
 * rules are judged anew each time, elsewhere. It lives as long as its bundle, and bad signatures leave nothing in it.
 */

/** More than an authority has at a time, even while one intermediate replaces another. */
const MOST = 8;

export class VouchedIssuers {
  readonly #known: Buffer[] = [];

  /** @param der of the whole certificate, its signature included */
  has(der: Buffer): boolean {
    return this.#known.some((known) => known.equals(der));
  }

  /** The oldest one makes room. */
  add(der: Buffer): void {
    this.#known.push(Buffer.from(der));
    if (this.#known.length > MOST) this.#known.shift();
  }
}
