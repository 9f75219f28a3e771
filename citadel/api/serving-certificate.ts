/**
 * The certificate that the API itself shows: issued by the own authority, short-lived, with a fresh key each
 * time, replaced at half of its life and whenever the signing certificate changes. The key never touches a disk.
 */
import { generateKeyPairSync } from 'node:crypto';
import { isIP } from 'node:net';
import { backoffDelay } from '../../shared/backoff/backoff.ts';
import type { Clock, Randomness, Timer } from '../../shared/clock/clock.ts';
import type { Log } from '../../shared/log/log.ts';
import { encodePem } from '../../shared/x509/pem.ts';
import type { Authority } from '../authority/authority.ts';
import type { ServingMaterial } from './api-server.ts';

export interface ServingCertificateOptions {
  readonly authority: () => Authority;
  readonly spiffeId: string;
  /** DNS names and IP addresses. */
  readonly names: readonly string[];
  readonly seconds: number;
  readonly backdateSeconds: number;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly log: Log;
}

const RETRY = { firstMs: 1000, capMs: 60_000 };

export class ServingCertificate {
  readonly #options: ServingCertificateOptions;
  #onRenewed: (material: ServingMaterial) => void = () => {};
  #timer: Timer | undefined;
  #failures = 0;
  /** Milliseconds since the epoch. */
  notAfter = 0;

  constructor(options: ServingCertificateOptions) {
    this.#options = options;
  }

  /** Issues one now. @throws {Refusal} when the authority cannot sign */
  issue(): ServingMaterial {
    const { authority, spiffeId, names, seconds, backdateSeconds, clock } = this.#options;
    const signer = authority();
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const now = clock.now();
    // X.509 has whole seconds, and no certificate outlives its issuer.
    this.notAfter = Math.floor(Math.min(now + seconds * 1000, signer.issuer.certificate.notAfter) / 1000) * 1000;
    const { der, serial } = signer.signServing({
      spki: publicKey.export({ type: 'spki', format: 'der' }),
      spiffeId,
      dnsNames: names.filter((name) => isIP(name) === 0),
      ipAddresses: names.filter((name) => isIP(name) !== 0),
      notBefore: now - backdateSeconds * 1000,
      notAfter: this.notAfter,
    });
    this.#options.log.info('serving_certificate_issued', {
      serial,
      names,
      notAfter: new Date(this.notAfter).toISOString(),
    });
    return {
      cert: encodePem('CERTIFICATE', der) + signer.chainPem.join(''),
      key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    };
  }

  /** Keeps it fresh from now on; `onRenewed` gets every later one. */
  start(onRenewed: (material: ServingMaterial) => void): void {
    this.#onRenewed = onRenewed;
    this.#arm((this.notAfter - this.#options.clock.now()) / 2);
  }

  /** Now, and again later when it fails: the present certificate stays until then. */
  renew(): void {
    const { clock, randomness, log } = this.#options;
    try {
      this.#onRenewed(this.issue());
      this.#failures = 0;
      this.#arm((this.notAfter - clock.now()) / 2);
    } catch (error) {
      this.#failures++;
      const delay = backoffDelay(this.#failures, randomness.draw(), RETRY);
      log.error('serving_certificate_failed', {
        error: error instanceof Error ? error.message : String(error),
        retryMs: Math.round(delay),
      });
      this.#arm(delay);
    }
  }

  close(): void {
    this.#timer?.cancel();
  }

  #arm(ms: number): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(ms, () => this.renew());
  }
}
