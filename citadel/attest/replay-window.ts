/**
 * Remembers who used which token, for as long as the token lives, to notice when someone else uses it too. A
 * sidecar renews with a fresh key and the same token from the same address: that is no replay. Another key from
 * another address is, and so is one pod under two identities. It only tells; whether to refuse is decided elsewhere.
 */
import type { Clock } from '../../shared/clock/clock.ts';

export interface Sighting {
  readonly tokenId: string;
  readonly podUid: string;
  readonly spiffeId: string;
  /** SHA-256 of the public key in the CSR. */
  readonly keyFingerprint: string;
  /** IP address of the caller, without port. */
  readonly address: string;
  /** Milliseconds since the Unix epoch. */
  readonly tokenExpiresAt: number;
}

export type SightingVerdict = 'new' | 'known' | 'token_replayed' | 'pod_identity_conflict';

/** How many keys and addresses are remembered of one token; a pod has one address, a sidecar a key per renewal. */
const MOST_KEYS = 8;
const MOST_ADDRESSES = 4;

interface Holder {
  readonly keys: string[];
  readonly addresses: string[];
  readonly expiresAt: number;
}

interface Pod {
  readonly spiffeId: string;
  readonly expiresAt: number;
}

export class ReplayWindow {
  readonly #clock: Clock;
  readonly #mostEntries: number;
  readonly #holders = new Map<string, Holder>();
  readonly #pods = new Map<string, Pod>();

  /** @param options.mostEntries tokens, and as many pods; the ones not seen for longest are forgotten first */
  constructor({ clock, mostEntries = 100_000 }: { readonly clock: Clock; readonly mostEntries?: number }) {
    this.#clock = clock;
    this.#mostEntries = mostEntries;
  }

  get size(): number {
    return this.#holders.size + this.#pods.size;
  }

  see(sighting: Sighting): SightingVerdict {
    if (this.#conflicts(sighting)) return 'pod_identity_conflict';
    return this.#judge(sighting);
  }

  /** A pod's service account cannot change while it lives. */
  #conflicts({ podUid, spiffeId, tokenExpiresAt }: Sighting): boolean {
    const pod = this.#alive(this.#pods, podUid);
    if (pod && pod.spiffeId !== spiffeId) return true;
    this.#keep(this.#pods, podUid, { spiffeId, expiresAt: Math.max(pod?.expiresAt ?? 0, tokenExpiresAt) });
    return false;
  }

  #judge({ tokenId, keyFingerprint, address, tokenExpiresAt }: Sighting): SightingVerdict {
    const from = withoutMapping(address);
    const holder = this.#alive(this.#holders, tokenId);
    if (!holder) {
      this.#keep(this.#holders, tokenId, { keys: [keyFingerprint], addresses: [from], expiresAt: tokenExpiresAt });
      return 'new';
    }
    // Whoever has a known key is the same holder (the CSR proves possession), at a known address too.
    // A stranger is not remembered: that would make the second use of a stolen token look familiar.
    if (!holder.keys.includes(keyFingerprint) && !holder.addresses.includes(from)) return 'token_replayed';
    remember(holder.keys, keyFingerprint, MOST_KEYS);
    remember(holder.addresses, from, MOST_ADDRESSES);
    this.#keep(this.#holders, tokenId, holder);
    return 'known';
  }

  #alive<Entry extends { readonly expiresAt: number }>(entries: Map<string, Entry>, key: string): Entry | undefined {
    const entry = entries.get(key);
    return entry && entry.expiresAt > this.#clock.now() ? entry : undefined;
  }

  /** Puts an entry last in line and forgets from the front: at most two that have expired, and what is too much. */
  #keep<Entry extends { readonly expiresAt: number }>(entries: Map<string, Entry>, key: string, entry: Entry): void {
    entries.delete(key);
    entries.set(key, entry);
    const now = this.#clock.now();
    let looked = 0;
    for (const [oldest, { expiresAt }] of entries) {
      if (looked++ >= 2) break;
      if (expiresAt <= now || entries.size > this.#mostEntries) entries.delete(oldest);
    }
  }
}

/** An IPv4 caller on a socket that also takes IPv6 (RFC 4291 §2.5.5.2). */
function withoutMapping(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}

function remember(list: string[], value: string, most: number): void {
  if (list.includes(value)) return;
  list.push(value);
  if (list.length > most) list.shift();
}
