/**
 * The trust bundle of one trust domain: the certificates of its authorities, and the SPIFFE bundle format
 * (a JWK Set) in which it travels. Decoding is as tolerant as the specification asks and no more; whether an
 * authority may really sign is judged in x509/trust-anchors. Bundles of different trust domains are never merged.
 */
import { X509Certificate } from 'node:crypto';
import { isTrustDomainName } from './spiffe-id.ts';

export interface TrustBundle {
  readonly trustDomain: string;
  /** Rises whenever the content changes (SPIFFE Trust Domain and Bundle §4.1.1). */
  readonly sequence: number;
  readonly refreshHintSeconds: number;
  /** X.509 authorities, DER. None means that every SVID of the trust domain is invalid (§4.1.3). */
  readonly authorities: readonly Buffer[];
}

export class BundleError extends Error {
  override readonly name = 'BundleError';
}

/** SPIFFE Federation §4.1: how often to look when the bundle does not say. */
const DEFAULT_REFRESH_HINT_SECONDS = 300;
const MOST_KEYS = 256;
const LONGEST_AUTHORITY = 64 * 1024;
/** RFC 7518 §6 and RFC 8037 §2. Other types are ignored (Trust Domain and Bundle §4.2.1). */
const KNOWN_KEY_TYPES: ReadonlySet<unknown> = new Set(['EC', 'RSA', 'OKP']);

/** The bundle as a JWK Set: one entry per authority, one `x5c` each, never a `kid` (X509-SVID §6.1). */
export function encodeBundle(bundle: TrustBundle): object {
  return {
    keys: bundle.authorities.map((der) => ({
      use: 'x509-svid',
      // go-jose reads the key from these members and compares it with the certificate, so they are not optional.
      ...new X509Certificate(der).publicKey.export({ format: 'jwk' }),
      x5c: [der.toString('base64')],
    })),
    spiffe_sequence: bundle.sequence,
    spiffe_refresh_hint: bundle.refreshHintSeconds,
  };
}

/** @throws {BundleError} when the JSON is no SPIFFE bundle; entries of unknown type or use are passed over */
export function decodeBundle(trustDomain: string, json: unknown): TrustBundle {
  if (!isTrustDomainName(trustDomain)) throw new BundleError('the trust domain is not a valid name');
  if (!isRecord(json)) throw new BundleError('a bundle is a JSON object');
  const { keys, spiffe_sequence: sequence, spiffe_refresh_hint: refreshHint } = json;
  if (!Array.isArray(keys)) throw new BundleError('keys must be an array');
  if (keys.length > MOST_KEYS) throw new BundleError(`more than ${MOST_KEYS} keys`);
  const authorities = keys.map(authorityOf).filter((der) => der !== undefined);
  return {
    trustDomain,
    // A sequence beyond 2^53 would compare wrongly, and silently, as a JavaScript number.
    sequence: wholeNumber(sequence, 0, 'spiffe_sequence'),
    refreshHintSeconds: wholeNumber(refreshHint, DEFAULT_REFRESH_HINT_SECONDS, 'spiffe_refresh_hint'),
    authorities: withoutRepeats(authorities),
  };
}

/** The certificate of one JWK, or undefined when the entry is not for X509-SVIDs or not understood. */
function authorityOf(entry: unknown): Buffer | undefined {
  if (!isRecord(entry)) throw new BundleError('each key is a JSON object');
  // Trust Domain and Bundle §4.2.1, §4.2.2: unknown kty, missing or unknown use: pass over this key only.
  if (!KNOWN_KEY_TYPES.has(entry['kty']) || entry['use'] !== 'x509-svid') return undefined;
  const { x5c } = entry;
  // X509-SVID §6.2: no or empty x5c: pass over; several certificates: the first counts.
  if (!Array.isArray(x5c) || x5c.length === 0) return undefined;
  const text: unknown = x5c[0];
  if (typeof text !== 'string' || text.length > (LONGEST_AUTHORITY * 4) / 3) throw new BundleError('x5c is malformed');
  const der = Buffer.from(text, 'base64');
  // RFC 7517 §4.7: standard base64. Node skips what it does not know, so compare what came back.
  if (der.length === 0 || der.toString('base64') !== text) throw new BundleError('x5c is not base64');
  return der;
}

function wholeNumber(value: unknown, absent: number, name: string): number {
  if (value === undefined) return absent;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new BundleError(`${name} must be a whole number of at most 2^53 - 1`);
}

function withoutRepeats(authorities: readonly Buffer[]): readonly Buffer[] {
  return [...new Map(authorities.map((der) => [der.toString('latin1'), der])).values()];
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
