/** The identity of this sidecar: where it comes from, what keeps it fresh, and what wakes that up. Wiring only. */
import { FileWatch } from '../shared/file-watch/file-watch.ts';
import type { Surroundings } from './compose.ts';
import type { SidecarSettings } from './config.ts';
import { BundleWatch } from './identity/bundle-watch.ts';
import { CitadelConnection } from './identity/citadel-connection.ts';
import { CitadelSource } from './identity/citadel-source.ts';
import type { IdentitySource } from './identity/identity-source.ts';
import { IdentityStore } from './identity/identity-store.ts';
import { RenewalLoop } from './identity/renewal-loop.ts';
import { TokenFile } from './identity/token-file.ts';
import type { IdentityMetrics } from './telemetry/identity-metrics.ts';

export interface IdentityParts {
  readonly store: IdentityStore;
  readonly source: IdentitySource;
  readonly renewal: RenewalLoop;
  /** Starts what goes on by itself: renewals, the watch stream, the looks at the files. */
  start(signal: AbortSignal): void;
}

export function composeIdentity(
  settings: SidecarSettings,
  around: Surroundings,
  metrics: IdentityMetrics,
): IdentityParts {
  const { clock, log } = around;
  const { citadel, tokenFile, trustDomain, certificateSeconds, renewal: patience } = settings;
  const store = new IdentityStore({ trustDomain, clock, log });
  const token = new TokenFile({ file: tokenFile, clock, metrics });
  const connection = new CitadelConnection({ url: citadel.url, caFile: citadel.caFile, clock });
  const source = new CitadelSource({ connection, token, certificateSeconds, clock, log, metrics });
  const backoff = { firstMs: patience.firstRetryMs, capMs: patience.capSeconds * 1000 };
  const renewal = new RenewalLoop({ ...around, source, store, backoff, metrics });
  const watch = new BundleWatch({ ...around, source, store, backoff, metrics, onConnected: () => renewal.retryNow() });
  renewIfDistrusted(store, renewal);
  return {
    store,
    source,
    renewal,
    start(signal) {
      void renewal.run(signal);
      void watch.run(signal);
      const files = [
        new FileWatch({ file: tokenFile, clock, onChange: () => void tokenChanged(token, renewal, around) }),
        new FileWatch({ file: citadel.caFile, clock, onChange: () => renewal.retryNow() }),
      ];
      signal.addEventListener('abort', () => files.forEach((file) => void file.close()), { once: true });
    },
  };
}

/** Reading it brings the gauge of its expiry up to date; what is wrong with it is told by the next try to use it. */
async function tokenChanged(token: TokenFile, renewal: RenewalLoop, { log }: Surroundings): Promise<void> {
  try {
    const { expiresAt } = await token.read();
    log.debug('token_changed', expiresAt === undefined ? {} : { expiresAt: new Date(expiresAt).toISOString() });
  } catch (error) {
    log.debug('token_changed', { reason: error instanceof Error ? error.message : String(error) });
  }
  renewal.retryNow();
}

/** A new bundle may have withdrawn the authority behind the certificate in use: peers will refuse it. */
function renewIfDistrusted(store: IdentityStore, renewal: RenewalLoop): void {
  let judged = store.trust;
  store.onChange(() => {
    if (store.trust === judged) return;
    judged = store.trust;
    if (store.identity && !store.ownIdentityHolds()) renewal.renewNow();
  });
}
