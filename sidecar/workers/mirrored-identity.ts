/**
 * The identity of the main thread, as a worker has it: the same generation and the same trust, made anew from what
 * was sent and verified once more on the way in. It fetches and decides nothing.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../../shared/clock/clock.ts';
import { asRefusal } from '../../shared/errors/refusal.ts';
import type { Log } from '../../shared/log/log.ts';
import { encodePem } from '../../shared/x509/pem.ts';
import { anchorsOf } from '../../shared/x509/trust-anchors.ts';
import { verifySvid } from '../../shared/x509/verify-svid.ts';
import type { Identity, PublishedIdentity, Trust } from '../identity/identity.ts';
import type { PackedIdentity, PackedTrust } from './messages.ts';

export function packIdentity({ chain, keyPem, generation }: Identity): PackedIdentity {
  return { chain, keyPem, generation };
}

export function packTrust({ anchors, version, sequence }: Trust): PackedTrust {
  const [trustDomain = ''] = anchors.trustDomains;
  const authorities = anchors.of(trustDomain)?.map(({ certificate }) => certificate.der) ?? [];
  return { trustDomain, authorities, version, sequence };
}

export class MirroredIdentity implements PublishedIdentity {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #listeners = new Set<() => void>();
  #identity: Identity | undefined;
  #trust: Trust | undefined;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  get identity(): Identity | undefined {
    return this.#identity;
  }

  get trust(): Trust | undefined {
    return this.#trust;
  }

  onChange(fn: () => void): () => void {
    this.#listeners.add(fn);
    return () => void this.#listeners.delete(fn);
  }

  /** What could not be taken over is logged, and the old stays. */
  take(identity: PackedIdentity | undefined, trust: PackedTrust | undefined): void {
    try {
      if (trust && trust.version !== this.#trust?.version) this.#trust = unpackedTrust(trust);
      if (identity && identity.generation !== this.#identity?.generation && this.#trust) {
        this.#identity = unpackedIdentity(identity, this.#trust, this.#clock.now());
      }
    } catch (error) {
      const { code, detail } = asRefusal(error, 'internal_failure');
      this.#log.error('worker_identity_refused', { code, reason: detail });
    }
    for (const listener of [...this.#listeners]) listener();
  }
}

function unpackedTrust({ trustDomain, authorities, version, sequence }: PackedTrust): Trust {
  const ders = authorities.map((der) => Buffer.from(der));
  const bundle = { trustDomain, sequence: sequence ?? 0, refreshHintSeconds: 0, authorities: ders };
  const caPem = ders.map((der) => encodePem('CERTIFICATE', der));
  return Object.freeze({ anchors: anchorsOf([bundle]), caPem, version, sequence });
}

function unpackedIdentity({ chain, keyPem, generation }: PackedIdentity, trust: Trust, now: number): Identity {
  const ders = chain.map((der) => Buffer.from(der));
  const { spiffeId, leaf, notAfter } = verifySvid(ders, trust.anchors, now);
  return Object.freeze({
    spiffeId,
    chain: ders,
    chainPem: ders.map((der) => encodePem('CERTIFICATE', der)).join(''),
    keyPem,
    leaf,
    chainFingerprints: ders.map((der) => createHash('sha256').update(der).digest('hex')),
    notBefore: leaf.notBefore,
    notAfter,
    generation,
  });
}
