/**
 * The projected service account token, read anew for every use: kubelet replaces it while the pod runs. Its expiry is
 * read without verifying anything (that is citadel's part), so that a token that cannot be accepted is not sent.
 * What is no JWT is not sent either: a wrong path may point at another secret. The token is never logged.
 */
import type { Clock } from '../../shared/clock/clock.ts';
import { Refusal } from '../../shared/errors/refusal.ts';
import type { IdentityMetrics } from '../telemetry/identity-metrics.ts';
import { readSmallFile, SmallFileError } from './small-file.ts';

export interface LocalToken {
  readonly text: string;
  /** Milliseconds since the Unix epoch; undefined when the token does not say. */
  readonly expiresAt: number | undefined;
}

export interface TokenFileOptions {
  readonly file: string;
  readonly clock: Clock;
  readonly metrics: IdentityMetrics;
}

/** A service account token has about 1 KiB; citadel takes 8. */
const LARGEST_TOKEN = 8 * 1024;
/** Seconds since the Unix epoch beyond which a Date cannot be printed. */
const LATEST_EXPIRY = 8.64e12;
/** RFC 7515 §3.1: three base64url parts. */
const COMPACT_JWT = /^[\w-]+\.([\w-]+)\.[\w-]*$/;

export class TokenFile {
  readonly #options: TokenFileOptions;

  constructor(options: TokenFileOptions) {
    this.#options = options;
  }

  get path(): string {
    return this.#options.file;
  }

  /** @throws {Refusal} local_token_missing, local_token_expired, token_too_large, token_malformed */
  async read(): Promise<LocalToken> {
    const text = await this.#text();
    const payload = COMPACT_JWT.exec(text)?.[1];
    if (payload === undefined) throw new Refusal('token_malformed', `${this.#options.file}; it was not sent`);
    const expiresAt = expiryIn(payload);
    this.#options.metrics.tokenExpiry.set([], (expiresAt ?? 0) / 1000);
    if (expiresAt !== undefined && expiresAt <= this.#options.clock.now()) {
      throw new Refusal('local_token_expired', `${this.#options.file}; since ${new Date(expiresAt).toISOString()}`);
    }
    return { text, expiresAt };
  }

  async #text(): Promise<string> {
    const { file } = this.#options;
    try {
      const text = (await readSmallFile(file, LARGEST_TOKEN)).trim();
      if (text !== '') return text;
    } catch (error) {
      if (!(error instanceof SmallFileError)) throw error;
      if (error.tooLarge) throw new Refusal('token_too_large', `${file}; it was not sent`);
      throw new Refusal('local_token_missing', { detail: `${file} (${error.message})`, cause: error });
    }
    throw new Refusal('local_token_missing', `${file} (empty)`);
  }
}

/** `exp` (RFC 7519 §4.1.4) in milliseconds. A payload that cannot be read is citadel's to refuse. */
function expiryIn(payload: string): number | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    const exp = typeof claims === 'object' && claims !== null && 'exp' in claims ? claims.exp : undefined;
    return typeof exp === 'number' && Number.isFinite(exp) && Math.abs(exp) < LATEST_EXPIRY ? exp * 1000 : undefined;
  } catch {
    return undefined; // not JSON: the same as a token that does not say
  }
}
