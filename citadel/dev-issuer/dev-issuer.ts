/**
 * Signs tokens that look like those kubelet projects, for workloads on a laptop, and publishes what is needed to
 * check them. It proves nothing about anybody: whoever may write its configuration is whoever they like. Both
 * documents say so, and citadel refuses such an issuer unless it is configured by name.
 */
import { sign } from 'node:crypto';
import { UNSAFE_DEV_ISSUER_MARK } from '../../shared/api/dev-issuer-mark.ts';
import type { Clock, Randomness } from '../../shared/clock/clock.ts';
import type { IssuerKey } from './issuer-key.ts';
import { kubernetesClaims, type LocalWorkload } from './local-workload.ts';

export interface DevIssuerOptions {
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly key: IssuerKey;
  /** The `iss` of tokens, without a slash at its end. */
  readonly issuerUrl: string;
  readonly audience: string;
  readonly tokenSeconds: number;
}

export interface IssuedToken {
  readonly token: string;
  /** Milliseconds since the Unix epoch. */
  readonly issuedAt: number;
  readonly expiresAt: number;
}

export interface DevIssuer {
  readonly issuerUrl: string;
  issue(workload: LocalWorkload): IssuedToken;
  /** A token whose time was over an hour ago: to see it refused. */
  issueExpired(workload: LocalWorkload): IssuedToken;
  /** OpenID Connect Discovery §3. */
  discovery(): object;
  /** RFC 7517 §5. */
  keySet(): object;
}

export const DISCOVERY_PATH = '/.well-known/openid-configuration';
export const KEY_SET_PATH = '/openid/v1/jwks';

const HOUR_MS = 3_600_000;

export function createDevIssuer(options: DevIssuerOptions): DevIssuer {
  const { clock, key, issuerUrl, tokenSeconds } = options;
  const issueAt = (workload: LocalWorkload, moment: number): IssuedToken => {
    const issuedAt = Math.floor(moment / 1000);
    const expiresAt = issuedAt + tokenSeconds;
    return {
      token: signToken(options, workload, issuedAt, expiresAt),
      issuedAt: issuedAt * 1000,
      expiresAt: expiresAt * 1000,
    };
  };
  return {
    issuerUrl,
    issue: (workload) => issueAt(workload, clock.now()),
    issueExpired: (workload) => issueAt(workload, clock.now() - HOUR_MS - tokenSeconds * 1000),
    discovery: () => ({
      issuer: issuerUrl,
      jwks_uri: `${issuerUrl}${KEY_SET_PATH}`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: [key.algorithm],
      [UNSAFE_DEV_ISSUER_MARK]: true,
    }),
    keySet: () => ({ keys: [key.jwk], [UNSAFE_DEV_ISSUER_MARK]: true }),
  };
}

/** @param issuedAt seconds since the Unix epoch, like `expiresAt` */
function signToken(
  { key, issuerUrl, audience, randomness }: DevIssuerOptions,
  workload: LocalWorkload,
  issuedAt: number,
  expiresAt: number,
): string {
  const { namespace, serviceAccount } = workload;
  const claims = {
    aud: [audience],
    exp: expiresAt,
    iat: issuedAt,
    iss: issuerUrl,
    jti: uuid(randomness.bytes(16)),
    'kubernetes.io': kubernetesClaims(workload),
    nbf: issuedAt,
    sub: `system:serviceaccount:${namespace}:${serviceAccount}`,
  };
  const signed = [{ alg: key.algorithm, kid: key.keyId }, claims].map(jsonPart).join('.');
  // RFC 7518 §3.4: r and s side by side; RSA takes no notice of the encoding.
  const signature = sign('sha256', Buffer.from(signed), { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${signature.toString('base64url')}`;
}

function jsonPart(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** RFC 9562 §5.4: version 4, from randomness that is handed in. */
function uuid(bytes: Buffer): string {
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
