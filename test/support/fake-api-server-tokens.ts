/**
 * How the fake API server makes and judges tokens: with real signatures, in the order and with the words of
 * kube-apiserver (pkg/serviceaccount), so that code which reads those words is tested against them. Only
 * signature, times, audience and bound objects count, as there; nothing of what citadel adds.
 */
import { randomUUID, verify } from 'node:crypto';
import type { Clock } from '../../shared/clock/clock.ts';
import type { ClusterObjects } from './fake-api-server-objects.ts';
import { type Claims, makeSigningKey, type SigningKey, signToken, type TokenAlgorithm } from './tokens.ts';

export interface AuthenticatedUser {
  readonly username: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** What kube-apiserver knows after looking at a token. */
export type Authentication =
  | { readonly user: AuthenticatedUser; readonly audiences: readonly string[]; readonly expiresAt: number }
  | { readonly error: string };

interface Ref {
  readonly name: string;
  readonly uid: string;
}

interface KubernetesPart {
  readonly namespace: string;
  readonly serviceaccount: Ref;
  readonly pod?: Ref;
  readonly node?: Ref;
}

/** go-jose's leeway on every time: also the grace of deleted objects. */
const LEEWAY_SECONDS = 60;
const INVALIDATED = 'service account token has been invalidated';

export class TokenAuthority {
  readonly #clock: Clock;
  readonly #objects: ClusterObjects;
  readonly #apiAudience: string;
  #issuer = '';
  #keys: SigningKey[];

  constructor(clock: Clock, objects: ClusterObjects, algorithm: TokenAlgorithm, apiAudience: string) {
    this.#clock = clock;
    this.#objects = objects;
    this.#apiAudience = apiAudience;
    this.#keys = [makeSigningKey(algorithm)];
  }

  get issuer(): string {
    return this.#issuer;
  }

  set issuer(issuer: string) {
    this.#issuer = issuer;
  }

  /** Signs; the others only verify. */
  get key(): SigningKey {
    return this.#keys[0]!;
  }

  get keySet(): object {
    return { keys: this.#keys.map(({ jwk }) => jwk) };
  }

  /** A new key signs from now on. @param keepOld whether tokens of the old ones stay good */
  rotateKey(keepOld: boolean, algorithm: TokenAlgorithm = this.key.algorithm): void {
    this.#keys = [makeSigningKey(algorithm), ...(keepOld ? this.#keys : [])];
  }

  issue(kubernetes: KubernetesPart, audiences: readonly string[], seconds: number): string {
    const now = Math.floor(this.#clock.now() / 1000);
    const claims: Claims = {
      aud: audiences.length > 0 ? audiences : [this.#apiAudience],
      exp: now + seconds,
      iat: now,
      iss: this.#issuer,
      jti: randomUUID(),
      'kubernetes.io': kubernetes,
      nbf: now,
      sub: `system:serviceaccount:${kubernetes.namespace}:${kubernetes.serviceaccount.name}`,
    };
    return signToken(claims, this.key);
  }

  authenticate(token: string, wanted: readonly string[] = []): Authentication {
    const parsed = parse(token);
    // Not for any of our authenticators: nobody has an opinion, and the general one says no.
    if (parsed?.claims['iss'] !== this.#issuer) return { error: 'invalid bearer token' };
    const { signed, signature, header, claims } = parsed;
    const key = this.#keys.find(({ keyId }) => keyId === header['kid']);
    if (!key) return denied('invalid signature, no keys found');
    if (header['alg'] !== key.algorithm || !signatureHolds(signed, signature, key)) {
      return denied('go-jose/go-jose: error in cryptographic primitive');
    }
    const audiences = [claims['aud'] ?? []].flat() as string[];
    const targets = wanted.length > 0 ? wanted : [this.#apiAudience];
    const common = audiences.filter((audience) => targets.includes(audience));
    if (common.length === 0) {
      return denied(`token audiences ${quoted(audiences)} is invalid for the target audiences ${quoted(targets)}`);
    }
    return this.#judge(claims, common);
  }

  #judge(claims: Claims, audiences: readonly string[]): Authentication {
    const now = this.#clock.now() / 1000;
    const { exp, nbf, iat } = claims as Record<string, number>;
    if (exp === undefined || now > exp + LEEWAY_SECONDS) return denied('service account token has expired');
    if (nbf !== undefined && now < nbf - LEEWAY_SECONDS) return denied('service account token is not valid yet');
    if (iat !== undefined && now < iat - LEEWAY_SECONDS) {
      return denied('service account token claims could not be validated due to unexpected validation error');
    }
    const kubernetes = claims['kubernetes.io'] as KubernetesPart;
    const gone = this.#boundObjectProblem(kubernetes);
    return gone === undefined
      ? { user: userOf(kubernetes, claims['jti'] as string), audiences, expiresAt: exp * 1000 }
      : denied(gone);
  }

  #boundObjectProblem({ namespace, serviceaccount, pod, node }: KubernetesPart): string | undefined {
    const account = this.#objects.serviceAccount(namespace, serviceaccount.name);
    if (!account) return `serviceaccounts "${serviceaccount.name}" not found`;
    if (account.uid !== serviceaccount.uid)
      return `service account UID (${account.uid}) does not match claim (${serviceaccount.uid})`;
    if (!pod) return undefined;
    const stored = this.#objects.pod(namespace, pod.name);
    if (!stored || (stored.deletionTimestamp ?? Number.POSITIVE_INFINITY) < this.#clock.now() - LEEWAY_SECONDS * 1000)
      return INVALIDATED;
    if (stored.uid !== pod.uid)
      return `pod UID (${stored.uid}) does not match service account pod ref claim (${pod.uid})`;
    const known = node && this.#objects.node(node.name);
    if (node && !known) return INVALIDATED;
    if (node && known && known.uid !== node.uid)
      return `node UID (${known.uid}) does not match service account node ref claim (${node.uid})`;
    return undefined;
  }
}

function userOf({ namespace, serviceaccount, pod, node }: KubernetesPart, jti: string): AuthenticatedUser {
  const key = (name: string): string => `authentication.kubernetes.io/${name}`;
  return {
    username: `system:serviceaccount:${namespace}:${serviceaccount.name}`,
    uid: serviceaccount.uid,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
    extra: {
      [key('credential-id')]: [`JTI=${jti}`],
      ...(node ? { [key('node-name')]: [node.name], [key('node-uid')]: [node.uid] } : {}),
      ...(pod ? { [key('pod-name')]: [pod.name], [key('pod-uid')]: [pod.uid] } : {}),
    },
  };
}

/** Errors of several authenticators in a row, as Go prints an aggregate. */
function denied(words: string): Authentication {
  return { error: `[invalid bearer token, ${words}]` };
}

function quoted(texts: readonly string[]): string {
  return `[${texts.map((text) => JSON.stringify(text)).join(' ')}]`;
}

function parse(token: string): { signed: string; signature: Buffer; header: Claims; claims: Claims } | undefined {
  const [head = '', payload = '', tail = '', ...more] = token.split('.');
  if (more.length > 0) return undefined;
  try {
    const [header, claims] = [head, payload].map(
      (part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Claims,
    );
    return {
      signed: `${head}.${payload}`,
      signature: Buffer.from(tail, 'base64url'),
      header: header!,
      claims: claims!,
    };
  } catch {
    return undefined; // garbage is nobody's token
  }
}

function signatureHolds(signed: string, signature: Buffer, { algorithm, publicKey }: SigningKey): boolean {
  return verify(
    `sha${algorithm.slice(2)}`,
    Buffer.from(signed),
    { key: publicKey, dsaEncoding: 'ieee-p1363' },
    signature,
  );
}
