/**
 * What a sidecar is and whom it trusts, as immutable values: one generation of own key and certificate, and
 * one version of the bundles that peers are judged by. Whoever holds one holds a consistent set.
 */
import type { KeyObject } from 'node:crypto';
import type { SpiffeId } from '../../shared/spiffe/spiffe-id.ts';
import type { Certificate } from '../../shared/x509/certificate.ts';
import type { TrustAnchors } from '../../shared/x509/trust-anchors.ts';

/** The own X.509-SVID with its key, already verified as a peer would. */
export interface Identity {
  readonly spiffeId: SpiffeId;
  /** DER, leaf first. */
  readonly chain: readonly Buffer[];
  /** The same as PEM, as sent in the handshake. */
  readonly chainPem: string;
  /** PKCS#8 PEM. Goes to OpenSSL only: never to a log, an admin page or an error. */
  readonly keyPem: string;
  readonly leaf: Certificate;
  /** SHA-256 of every certificate of the chain, hex, leaf first. */
  readonly chainFingerprints: readonly string[];
  /** Milliseconds since the Unix epoch. */
  readonly notBefore: number;
  /** Milliseconds since the Unix epoch: the earliest end of anything in the chain. */
  readonly notAfter: number;
  /** Counts the identities that this process has published, from 1. */
  readonly generation: number;
}

/** Whom to believe. */
export interface Trust {
  readonly anchors: TrustAnchors;
  /** Every authority as PEM, for OpenSSL's `ca`. Empty: nobody is trusted. */
  readonly caPem: readonly string[];
  /** Counts what this process has published, from 1: a key for caches. */
  readonly version: number;
  /** `spiffe_sequence` of the own trust domain's bundle; undefined while only the answer to the first CSR told it. */
  readonly sequence: number | undefined;
}

/** The present identity and trust, for whoever uses them. */
export interface PublishedIdentity {
  readonly identity: Identity | undefined;
  readonly trust: Trust | undefined;
  /** @param fn called after every change. @returns how to stop that */
  onChange(fn: () => void): () => void;
}

/** Key and chain as an authority answered them: nothing of it has been verified yet. */
export interface Candidate {
  /** DER, leaf first. */
  readonly chain: readonly Buffer[];
  readonly privateKey: KeyObject;
}
