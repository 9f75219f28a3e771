/**
 * What the main thread and a worker say to each other. Values are copied; the private key crosses threads of this
 * process only, in memory. Every question has a number, and its answer carries it.
 */
import type { RefusalCode } from '../../shared/errors/refusal.ts';
import type { LogLevel } from '../../shared/log/log.ts';
import type { Sample } from '../../shared/metrics/metrics.ts';
import type { BoundPorts } from '../listeners/data-plane.ts';
import type { ListedConnection } from '../listeners/registry-entry.ts';

/** An identity without what can be computed again from it. */
export interface PackedIdentity {
  /** DER, leaf first. */
  readonly chain: readonly Uint8Array[];
  /** PKCS#8 PEM. */
  readonly keyPem: string;
  readonly generation: number;
}

export interface PackedTrust {
  readonly trustDomain: string;
  /** DER. */
  readonly authorities: readonly Uint8Array[];
  readonly version: number;
  readonly sequence: number | undefined;
}

export type ToWorker =
  | {
      readonly kind: 'identity';
      readonly identity: PackedIdentity | undefined;
      readonly trust: PackedTrust | undefined;
    }
  | { readonly kind: 'log level'; readonly level: LogLevel }
  | { readonly kind: 'close' }
  | ({ readonly kind: 'ask'; readonly id: number } & Question);

export type Question =
  | { readonly about: 'open'; readonly ports: BoundPorts | undefined }
  | { readonly about: 'samples' }
  | { readonly about: 'connections' }
  | { readonly about: 'drain'; readonly seconds: number };

export interface Answers {
  readonly open: BoundPorts;
  /** By the metric's name. */
  readonly samples: Readonly<Record<string, readonly Sample[]>>;
  readonly connections: readonly ListedConnection[];
  /** False when connections had to be cut. */
  readonly drain: boolean;
}

export type FromWorker =
  | { readonly kind: 'answer'; readonly id: number; readonly value: Answers[keyof Answers] }
  | { readonly kind: 'refused'; readonly id: number; readonly code: RefusalCode; readonly detail: string };
