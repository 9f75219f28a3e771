/**
 * Where identities come from. citadel is the source of this program; a SPIFFE Workload API or files can be others.
 * A source only fetches: it never decides whether what it got is used.
 */
import type { TrustBundle } from '../../shared/spiffe/trust-bundle.ts';

/** What an authority answered to a CSR. Nothing of it has been verified. */
export interface IssuedMaterial {
  /** DER, leaf first. */
  readonly chain: readonly Buffer[];
  /** DER of the roots that came with it. */
  readonly authorities: readonly Buffer[];
  readonly spiffeId: string;
  /** Number of the entry in the issuance journal, for the log. */
  readonly entry: number;
}

export interface IdentitySource {
  /** @param csr DER. @throws {Refusal} local_token_*, citadel_*, or the code that citadel refused with */
  obtain(csr: Buffer, signal: AbortSignal): Promise<IssuedMaterial>;

  /**
   * One watch stream, from opening to its end.
   * @throws {Refusal} when it cannot be opened or breaks off; resolves when the source ended it in order
   */
  watchBundles(onBundle: OnBundle, signal: AbortSignal): Promise<void>;

  /** Tells that this version of the bundle is in use. @throws {Refusal} when the source has not heard or not believed it */
  acknowledge(version: number, signal: AbortSignal): Promise<void>;

  close(): Promise<void>;
}

/** What it throws is a refusal of the bundle: logged, and the stream goes on. */
export type OnBundle = (bundle: TrustBundle, version: number) => Promise<void> | void;
