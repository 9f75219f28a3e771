/** What a row of the table is: two proxies that carry one hop, and how they are started. Only types. */
import type { TestMesh } from '../support/mesh.ts';
import type { Programs } from './programs.ts';
import type { HopFiles } from './rival-configs.ts';

/** Everything that a variant may build on. */
export interface Site {
  readonly programs: Programs;
  readonly directory: string;
  /** Its citadel and the tokens of `entry` and `exit`. */
  readonly mesh: TestMesh;
  /** One SVID for both sides of a rival. */
  readonly files: HopFiles;
  /** The script of the built sidecar. */
  readonly sidecar: string;
  /** Path of Envoy; undefined when it cannot be had here. */
  readonly envoy: string | undefined;
}

/** Two proxies that run. */
export interface Hop {
  /** Where the load goes. */
  readonly entryPort: number;
  /** Where the second proxy expects the first, with mutual TLS. */
  readonly middlePort: number;
  /** What the first proxy offers there. */
  readonly alpn?: readonly string[];
  readonly entryPids: readonly number[];
  readonly exitPids: readonly number[];
  stop(): Promise<void>;
}

export interface Variant {
  /** Name of the row, and what `--only` takes. */
  readonly name: string;
  /** Whether the proxies read requests or carry bytes. */
  readonly relay: 'http' | 'tcp';
  readonly ours: boolean;
  /** @throws NotHere when this machine or this build does not have it */
  start(site: Site, appPort: number): Promise<Hop>;
}

/** The row is left out and the reason told; it is no failure. */
export class NotHere extends Error {}
