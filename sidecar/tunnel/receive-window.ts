/**
 * What a peer may send on one stream, and when to allow more (RFC 9113 §6.9). A stream that drains fast gets a larger
 * window, so that a long or busy path does not bound it; a slow one keeps a small one, so that little has to be held.
 */

/** Credit is sent in halves of a window: fewer frames, and the peer never comes to a stand. */
const SHARE = 2;
/** Round trips measured on an idle session are shorter than those under load: draining half a window in less is fast. */
const FAST_MS = 10;

/** Pure: the window after half of the current one was drained within `tookMs`. */
export function nextWindow(current: number, most: number, tookMs: number, roundTripMs: number): number {
  return tookMs <= Math.max(FAST_MS, roundTripMs) ? Math.min(most, current * 2) : current;
}

export class ReceiveWindow {
  /** Bytes that the peer may still send. Below zero after SETTINGS have made the window smaller. */
  left: number;
  /** What it is to be when nothing is under way and nothing waits. */
  size: number;
  /** Bytes received and not yet credited. */
  #owed = 0;
  #since: number;

  /** @param left what the peer knows of by now */
  constructor(left: number, size: number, now: number) {
    this.left = left;
    this.size = size;
    this.#since = now;
  }

  /** A DATA frame with its padding (RFC 9113 §6.9.1). @returns false when the peer was not allowed to send it */
  spend(bytes: number): boolean {
    // RFC 9113 §6.9.1: frames without bytes may be sent whatever the window is.
    if (bytes > this.left && bytes > 0) return false;
    this.left -= bytes;
    this.#owed += bytes;
    return true;
  }

  /** @param untaken bytes of those that the receiver has not taken yet */
  isCreditDue(untaken: number): boolean {
    const credit = this.#owed - untaken;
    return credit > 0 && credit >= this.size / SHARE;
  }

  /** @param most size to grow to; the present one where it must not grow. @returns the increment to announce */
  credit(untaken: number, now: number, roundTripMs: number, most: number): number {
    const size = nextWindow(this.size, Math.max(most, this.size), now - this.#since, roundTripMs);
    const increment = this.#owed - untaken + (size - this.size);
    this.size = size;
    this.#owed = untaken;
    this.#since = now;
    this.left += increment;
    return increment;
  }
}
