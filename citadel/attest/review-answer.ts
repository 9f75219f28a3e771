/**
 * What a TokenReview answer says about a token: facts about one pod, or a refusal. Every fact must be there in
 * its strict form; `authenticated: true` alone proves nothing (it may hold for another audience, or for a human).
 * It asks nothing and remembers nothing.
 */
import { Refusal, type RefusalCode } from '../../shared/errors/refusal.ts';
import { isNamespaceName, isObjectName, isObjectUid } from './object-names.ts';

/** What the API server vouches for. */
export interface ReviewedPod {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly serviceAccountUid: string;
  readonly podName: string;
  readonly podUid: string;
  readonly nodeName: string | undefined;
  /** The `jti` of the token; absent before Kubernetes 1.30. */
  readonly tokenId: string | undefined;
}

interface ReviewStatus {
  readonly authenticated: boolean;
  readonly error: string;
  readonly audiences: readonly unknown[];
  readonly user: Readonly<Record<string, unknown>>;
}

/** Keys of `status.user.extra` (KEP-4193). */
const EXTRA = 'authentication.kubernetes.io/';

/** The API server explains itself in words only; from the most telling to the least. */
const WORDS: readonly (readonly [RegExp, RefusalCode])[] = [
  [/is invalid for the target audiences/, 'token_audience_wrong'],
  [/has expired/, 'token_expired'],
  [/is not valid yet|issued in the future/, 'token_not_yet_valid'],
  // Deleted, or deleted and made again under the same name: the object that the token is bound to is gone.
  [/has been invalidated|has been deleted|not found|UID \(.{0,128}\) does not match/, 'token_pod_gone'],
];

/** Else whoever answered is not the API server, or was asked something else. */
export function isTokenReview(body: unknown): boolean {
  return record(body)['kind'] === 'TokenReview';
}

/**
 * @param body the parsed JSON of the answer
 * @throws {Refusal} token_*; token_review_unavailable when it is no TokenReview answer
 */
export function readReview(body: unknown, audience: string): ReviewedPod {
  const { authenticated, error, audiences, user } = statusOf(body);
  if (!authenticated || error !== '') throw refusalFor(error);
  // None: valid for the API server itself, and so in the hands of every component that a pod talks to.
  if (audiences.length > 1) throw new Refusal('token_audience_several', 'by the answer of TokenReview');
  if (audiences[0] !== audience) throw new Refusal('token_audience_wrong', 'by the answer of TokenReview');
  return podOf(user);
}

function statusOf(body: unknown): ReviewStatus {
  const { status } = record(body);
  if (!isTokenReview(body)) throw new Refusal('token_review_unavailable', 'the answer is not a TokenReview');
  const { authenticated, error = '', audiences, user } = record(status);
  if (typeof error !== 'string') throw new Refusal('token_review_unavailable', 'status.error is not a text');
  return {
    authenticated: authenticated === true,
    error,
    audiences: Array.isArray(audiences) ? audiences : [],
    user: record(user),
  };
}

function refusalFor(words: string): Refusal {
  const code = WORDS.find(([pattern]) => pattern.test(words))?.[1] ?? 'token_rejected';
  return new Refusal(code, `the API server says: ${quotable(words)}`);
}

/** Whatever looks like a part of a token stays out of our log, should the API server ever quote one. */
function quotable(words: string): string {
  return words.slice(0, 300).replaceAll(/[A-Za-z0-9_-]{60,}|eyJ[\w-]*/g, '[removed]');
}

function podOf(user: ReviewStatus['user']): ReviewedPod {
  const { namespace, serviceAccount } = serviceAccountOf(user['username']);
  const groups = Array.isArray(user['groups']) ? user['groups'] : [];
  // An authenticator other than that of service accounts could give out any user name, but not these two groups.
  if (!['system:serviceaccounts', `system:serviceaccounts:${namespace}`].every((group) => groups.includes(group))) {
    throw new Refusal('token_rejected', 'the groups are not those of a service account');
  }
  const serviceAccountUid = user['uid'];
  if (typeof serviceAccountUid !== 'string' || !isObjectUid(serviceAccountUid))
    throw new Refusal('token_rejected', 'the user has no UID');
  const extra = record(user['extra']);
  const podName = onlyValue(extra, 'pod-name');
  const podUid = onlyValue(extra, 'pod-uid');
  if (podName === undefined || podUid === undefined) throw new Refusal('token_without_pod', 'TokenReview names no pod');
  if (!isObjectName(podName) || !isObjectUid(podUid))
    throw new Refusal('token_rejected', 'the pod is not named as Kubernetes names pods');
  const tokenId = /^JTI=(.{1,256})$/.exec(onlyValue(extra, 'credential-id') ?? '')?.[1];
  return {
    namespace,
    serviceAccount,
    serviceAccountUid,
    podName,
    podUid,
    nodeName: nodeOf(extra),
    tokenId,
  };
}

/** Absent before Kubernetes 1.30; when it is there, it goes into log and journal and must be a name. */
function nodeOf(extra: Readonly<Record<string, unknown>>): string | undefined {
  const values = extra[`${EXTRA}node-name`];
  if (values === undefined || values === null) return undefined;
  const name = onlyValue(extra, 'node-name');
  if (name === undefined || !isObjectName(name))
    throw new Refusal('token_rejected', 'the node is not named as Kubernetes names nodes');
  return name;
}

/** `system:serviceaccount:<namespace>:<name>`, and nothing that merely contains it. */
function serviceAccountOf(username: unknown): { namespace: string; serviceAccount: string } {
  const [system, kind, namespace = '', serviceAccount = '', ...more] =
    typeof username === 'string' ? username.split(':') : [];
  const named = system === 'system' && kind === 'serviceaccount' && more.length === 0;
  if (!named || !isNamespaceName(namespace) || !isObjectName(serviceAccount)) {
    throw new Refusal('token_rejected', 'the token belongs to something else than a service account');
  }
  return { namespace, serviceAccount };
}

/** Extra values are lists; one with several values would let us choose. */
function onlyValue(extra: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const values = extra[`${EXTRA}${name}`];
  return Array.isArray(values) && values.length === 1 && typeof values[0] === 'string' ? values[0] : undefined;
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}
