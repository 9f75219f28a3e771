/**
 * Every connection of this sidecar, so that none outlives the identity that opened it: a TLS session knows no end
 * of its own once the handshake is done. Rotation retires what was dialed with the previous certificate; plaintext
 * connections of the app are only listed. It never looks at what a connection carries.
 */
import type { Clock } from '../../shared/clock/clock.ts';
import { Refusal } from '../../shared/errors/refusal.ts';
import type { Log } from '../../shared/log/log.ts';
import type { Identity, Trust } from '../identity/identity.ts';
import type { ConnectionFacts, RegisteredConnection, Registrar, RetirementReason } from '../relay/relay.ts';
import type { ConnectionMetrics } from '../telemetry/connection-metrics.ts';
import { withThinnedRefusals } from '../telemetry/refusal-lines.ts';
import { DistrustCheck, takesTrustAway } from '../tls/distrust.ts';
import { limitOfOpenFiles, OpenFiles } from './open-files.ts';
import { type CutReason, type ListedConnection, RegistryEntry } from './registry-entry.ts';

export interface ConnectionRegistryOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: ConnectionMetrics;
  /** For what is in progress when the identity behind a connection ends. */
  readonly expiryGraceSeconds: number;
  /** Files that the process may open; default: what the system says. */
  readonly openFiles?: number;
}

/** What it needs of IdentityStore. */
export interface IdentityChanges {
  readonly identity: Identity | undefined;
  readonly trust: Trust | undefined;
  onChange(fn: () => void): () => void;
}

export class ConnectionRegistry implements Registrar {
  /** What all listeners share. */
  readonly files: OpenFiles;
  readonly #options: ConnectionRegistryOptions;
  readonly #entries = new Map<number, RegistryEntry>();
  readonly #empty = new Set<() => void>();
  #followed: IdentityChanges | undefined;
  #nextId = 1;
  #draining = false;

  constructor(options: ConnectionRegistryOptions) {
    // A bundle without a root may cut thousands of connections of one peer at once.
    this.files = new OpenFiles(options.openFiles ?? limitOfOpenFiles());
    this.#options = { ...options, log: withThinnedRefusals(options.log, options.clock) };
  }

  get size(): number {
    return this.#entries.size;
  }

  register(facts: ConnectionFacts): RegisteredConnection {
    const { clock, log, metrics, expiryGraceSeconds: graceSeconds } = this.#options;
    const id = this.#nextId++;
    const { direction, listener, leg, peer } = facts;
    const about = { id, direction, listener, peer: peer?.spiffeId.uri };
    const retired = (reason: RetirementReason): void => {
      metrics.retired.inc([reason]);
      log.debug('connection_retired', { ...about, reason });
    };
    const cut = (reason: CutReason, { code, detail }: Refusal): void => {
      metrics.cut.inc([reason]);
      log.warn('connection_cut', { ...about, reason, code, detail });
    };
    const entry = new RegistryEntry({ id, facts, clock, graceSeconds, retired, cut });
    this.#entries.set(id, entry);
    metrics.open.inc([direction, listener, leg]);
    facts.socket.once('close', () => this.#forget(entry));
    if (facts.socket.destroyed) this.#forget(entry);
    else this.#catchUp(entry);
    return entry;
  }

  list(): ListedConnection[] {
    return Array.from(this.#entries.values(), (entry) => entry.listed());
  }

  /**
   * From now on a new certificate retires what was dialed with an older one, and a bundle without an authority cuts
   * what depends on it. @returns how to stop that
   */
  followIdentity(store: IdentityChanges): () => void {
    this.#followed = store;
    let { identity, trust } = store;
    const unfollow = store.onChange(() => {
      const [before, known] = [trust, identity];
      ({ identity, trust } = store);
      if (identity && identity !== known) this.#retireOlderThan(identity.generation);
      if (before && trust && before !== trust && takesTrustAway(before.anchors, trust.anchors))
        this.#cutDistrusted(trust);
    });
    return () => {
      this.#followed = undefined;
      unfollow();
    };
  }

  /** Everything is retired, and so is what comes from now on. @returns when nothing is open any more */
  drain(): Promise<void> {
    this.#draining = true;
    for (const entry of this.#entries.values()) entry.retire('draining');
    if (this.#entries.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#empty.add(resolve));
  }

  /** @returns how many connections were cut; those that had already ended in order and only linger are none of them */
  cutAll(): number {
    const entries = [...this.#entries.values()];
    const cut = entries.filter(({ facts }) => !isOver(facts));
    for (const entry of cut) entry.cut(new Refusal('draining'));
    for (const { facts } of entries) if (isOver(facts)) facts.socket.destroy();
    return cut.length;
  }

  #retireOlderThan(generation: number): void {
    for (const entry of this.#entries.values()) {
      const { role, own } = entry.facts;
      // What was accepted is used by the other side, which sees this certificate until it ends.
      if (role === 'dialed' && own && own.generation < generation) entry.retire('rotation');
    }
  }

  #cutDistrusted({ anchors }: Trust): void {
    const check = new DistrustCheck(anchors, this.#options.clock.now());
    for (const entry of this.#entries.values()) this.#cutIfDistrusted(entry, check);
  }

  #cutIfDistrusted(entry: RegistryEntry, check: DistrustCheck): void {
    const { peer, own } = entry.facts;
    const why = peer && own && check.of(peer, own);
    if (why) entry.cut(why, 'distrust');
  }

  /** What was decided while the connection came about: its handshake may have begun before a change. */
  #catchUp(entry: RegistryEntry): void {
    if (this.#draining) entry.retire('draining');
    const { own, role } = entry.facts;
    const { identity, trust } = this.#followed ?? {};
    if (!own || !identity || !trust || own === identity) return;
    if (role === 'dialed' && own.generation < identity.generation) entry.retire('rotation');
    this.#cutIfDistrusted(entry, new DistrustCheck(trust.anchors, this.#options.clock.now()));
  }

  #forget(entry: RegistryEntry): void {
    if (!this.#entries.delete(entry.id)) return;
    entry.forget();
    const { direction, listener, leg } = entry.facts;
    this.#options.metrics.open.inc([direction, listener, leg], -1);
    if (this.#entries.size > 0) return;
    for (const resolve of this.#empty) resolve();
    this.#empty.clear();
  }
}

/**
 * Whether everything was said and sent, in order, so that closing it takes nothing away from anybody. In HTTP that is
 * when the own direction has ended; in TCP the other side may have something to say as long as it has not.
 */
function isOver({ socket, protocol }: ConnectionFacts): boolean {
  return socket.destroyed || (socket.writableFinished && (protocol === 'http' || socket.readableEnded));
}
