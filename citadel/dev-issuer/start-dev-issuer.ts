/**
 * `citadel dev-issuer`: tokens for named local workloads in files, and the documents to check them with. For
 * laptops, demos and tests only, and it says so at every start.
 */
import { join } from 'node:path';
import type { Clock, Randomness } from '../../shared/clock/clock.ts';
import type { Log } from '../../shared/log/log.ts';
import { type ListenAddress, listen } from '../../shared/process/listen-address.ts';
import { createDevIssuer, type DevIssuer } from './dev-issuer.ts';
import { createDocumentServer } from './document-server.ts';
import { keepIssuerKey, makeIssuerKey } from './issuer-key.ts';
import type { DevIssuerSettings } from './settings.ts';
import { TokenRefresher } from './token-refresher.ts';

export interface DevIssuerTools {
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly log: Log;
}

export interface RunningDevIssuer {
  /** Where the documents are, and the `iss` of tokens. */
  readonly url: string;
  readonly issuer: DevIssuer;
  close(): Promise<void>;
}

/** Resolves when every token file is written. @throws {Refusal} address_*, file_*; or the error of the file system */
export async function startDevIssuer(
  settings: DevIssuerSettings,
  { clock, randomness, log }: DevIssuerTools,
): Promise<RunningDevIssuer> {
  const { algorithm, keyFile, audience, tokenSeconds } = settings;
  const key = keyFile === undefined ? makeIssuerKey(algorithm) : keepIssuerKey(keyFile, algorithm);
  let issuer: DevIssuer | undefined;
  const server = createDocumentServer(() => issuer);
  const bound = await listen(server, settings.listen);
  const url = settings.issuer ?? urlOf(bound);
  const made = createDevIssuer({ clock, randomness, key, issuerUrl: url, audience, tokenSeconds });
  const refresher = new TokenRefresher({ clock, randomness, log, issuer: made, places: placesOf(settings) });
  const close = async (): Promise<void> => {
    refresher.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  try {
    await refresher.start();
  } catch (error) {
    await close();
    throw error;
  }
  // Only now: whoever sees the documents may expect the files.
  issuer = made;
  log.warn('dev_issuer_unsafe', {
    issuer: url,
    warning: 'a development issuer proves nothing about anybody: never trust it in production',
  });
  log.info('dev_issuer_started', { issuer: url, audience, tokenSeconds, workloads: settings.workloads.length });
  return { url, issuer: made, close };
}

/** A wildcard is an address to listen on, not one to call. */
function urlOf({ host, port }: ListenAddress): string {
  const called = host === '::' || host === '0.0.0.0' ? '127.0.0.1' : host;
  return `http://${called.includes(':') ? `[${called}]` : called}:${port}`;
}

function placesOf({ directory, workloads }: DevIssuerSettings) {
  return workloads.map((workload) => ({
    ...workload,
    directory: workload.directory ?? join(directory, workload.namespace, workload.serviceAccount),
  }));
}
