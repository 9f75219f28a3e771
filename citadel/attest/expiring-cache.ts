/**
 * A bounded memory of short-lived answers. An entry ends after its own time and, whatever that says, at the
 * wall-clock moment it must not outlive; the two clocks are both asked, since the wall clock can be set back.
 * When full it forgets the entry that was put first.
 */
import type { Clock } from '../../shared/clock/clock.ts';

interface Entry<Value> {
  readonly value: Value;
  /** By the clock that never goes back: milliseconds. */
  readonly freshUntil: number;
  /** By the wall clock: milliseconds since the Unix epoch. */
  readonly validUntil: number;
}

export class ExpiringCache<Value> {
  readonly #clock: Clock;
  readonly #mostEntries: number;
  readonly #entries = new Map<string, Entry<Value>>();

  constructor(clock: Clock, mostEntries: number) {
    this.#clock = clock;
    this.#mostEntries = mostEntries;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): Value | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    if (this.#clock.monotonic() < entry.freshUntil && this.#clock.now() < entry.validUntil) return entry.value;
    this.#entries.delete(key);
    return undefined;
  }

  /**
   * @param freshMs milliseconds from now
   * @param validUntil milliseconds since the Unix epoch
   */
  put(key: string, value: Value, freshMs: number, validUntil: number): void {
    if (freshMs <= 0) return;
    this.#entries.delete(key);
    const oldest = this.#entries.keys().next();
    if (this.#entries.size >= this.#mostEntries && !oldest.done) this.#entries.delete(oldest.value);
    this.#entries.set(key, { value, freshUntil: this.#clock.monotonic() + freshMs, validUntil });
  }
}
