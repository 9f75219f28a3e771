/**
 * The calls of the Kubernetes API that citadel and kubelet make around tokens, answered as kube-apiserver does:
 * authentication of the caller, RBAC, then the resource; errors as `Status` objects with its reasons and words.
 */
import type { ClusterObjects } from './fake-api-server-objects.ts';
import type { AuthenticatedUser, Authentication, TokenAuthority } from './fake-api-server-tokens.ts';

export interface ApiAnswer {
  readonly status: number;
  readonly body: object;
}

export interface ApiQuestion {
  readonly method: string;
  readonly path: string;
  readonly bearer: string | undefined;
  readonly body: unknown;
}

/** What the calls work on. */
export interface Cluster {
  readonly objects: ClusterObjects;
  readonly tokens: TokenAuthority;
  /** Where the server itself can be reached: it advertises its key set there. */
  readonly url: string;
  /** `create authentication.k8s.io/tokenreviews` by user name. */
  readonly grants: ReadonlyMap<string, ReadonlySet<string>>;
  readonly adminToken: string;
  /** TokenReview's own look at a token: may be remembered. */
  review(token: string, audiences: readonly string[]): Authentication;
}

interface Route {
  readonly method: string;
  readonly pattern: RegExp;
  /** Verb, group and resource for RBAC; none: for every authenticated caller. */
  readonly needs?: string;
  readonly answer: (
    cluster: Cluster,
    names: readonly string[],
    body: Record<string, never>,
    caller: AuthenticatedUser,
  ) => ApiAnswer;
}

const ANONYMOUS: AuthenticatedUser = { username: 'system:anonymous', groups: ['system:unauthenticated'] };
const ADMIN: AuthenticatedUser = { username: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] };

const ROUTES: readonly Route[] = [
  {
    method: 'POST',
    pattern: /^\/apis\/authentication\.k8s\.io\/v1\/tokenreviews$/,
    needs: 'create authentication.k8s.io/tokenreviews',
    answer: tokenReview,
  },
  { method: 'POST', pattern: /^\/apis\/authorization\.k8s\.io\/v1\/selfsubjectaccessreviews$/, answer: selfReview },
  {
    method: 'POST',
    pattern: /^\/api\/v1\/namespaces\/([^/]+)\/serviceaccounts\/([^/]+)\/token$/,
    needs: 'create /serviceaccounts/token',
    answer: tokenRequest,
  },
  { method: 'GET', pattern: /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)$/, needs: 'get /pods', answer: getPod },
  { method: 'POST', pattern: /^\/api\/v1\/namespaces\/([^/]+)\/pods$/, needs: 'create /pods', answer: createPod },
  {
    method: 'DELETE',
    pattern: /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)$/,
    needs: 'delete /pods',
    answer: deletePod,
  },
  // ClusterRole system:service-account-issuer-discovery is bound to all service accounts.
  { method: 'GET', pattern: /^\/openid\/v1\/jwks$/, answer: ({ tokens }) => ({ status: 200, body: tokens.keySet }) },
  { method: 'GET', pattern: /^\/\.well-known\/openid-configuration$/, answer: discovery },
];

export function answerCall(cluster: Cluster, { method, path, bearer, body }: ApiQuestion): ApiAnswer {
  const caller = callerOf(cluster, bearer);
  if (!caller) return failure(401, 'Unauthorized', 'Unauthorized');
  const route = ROUTES.find((one) => one.method === method && one.pattern.test(path));
  const needs = route?.needs;
  const allowed = needs === undefined ? caller !== ANONYMOUS : mayDo(cluster, caller, needs);
  if (!allowed) return forbidden(caller, needs, path);
  if (!route) return failure(404, 'NotFound', 'the server could not find the requested resource');
  return route.answer(cluster, route.pattern.exec(path)!.slice(1), (body ?? {}) as Record<string, never>, caller);
}

export function failure(code: number, reason: string, message: string): ApiAnswer {
  return {
    status: code,
    body: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code },
  };
}

function callerOf({ adminToken, tokens }: Cluster, bearer: string | undefined): AuthenticatedUser | undefined {
  if (bearer === undefined) return ANONYMOUS;
  if (bearer === adminToken) return ADMIN;
  const known = tokens.authenticate(bearer);
  return 'user' in known ? known.user : undefined;
}

function mayDo({ grants }: Cluster, { username, groups }: AuthenticatedUser, needs: string): boolean {
  return groups.includes('system:masters') || (grants.get(username)?.has(needs) ?? false);
}

function forbidden({ username }: AuthenticatedUser, needs: string | undefined, path: string): ApiAnswer {
  if (needs === undefined) return failure(403, 'Forbidden', `forbidden: User "${username}" cannot get path "${path}"`);
  const [verb, target = ''] = needs.split(' ');
  const [group, ...resource] = target.split('/');
  const name = group === '' ? resource.join('/') : `${resource.join('/')}.${group}`;
  return failure(
    403,
    'Forbidden',
    `${name} is forbidden: User "${username}" cannot ${verb} resource "${resource.join('/')}" in API group "${group}" at the cluster scope`,
  );
}

function tokenReview(
  cluster: Cluster,
  _names: readonly string[],
  body: { spec?: { token?: string; audiences?: string[] } },
): ApiAnswer {
  const { token = '', audiences = [] } = body.spec ?? {};
  if (token === '') return failure(400, 'BadRequest', 'token is required for TokenReview in authentication');
  const known = cluster.review(token, audiences);
  // Fields that are empty are left out, as Go does: a refused token has no `authenticated`.
  const status =
    'user' in known
      ? { authenticated: true, user: known.user, audiences: known.audiences }
      : { user: {}, error: known.error };
  return created('authentication.k8s.io/v1', 'TokenReview', { spec: body.spec, status });
}

function selfReview(
  cluster: Cluster,
  _names: readonly string[],
  body: { spec?: { resourceAttributes?: Record<string, string> } },
  caller: AuthenticatedUser,
): ApiAnswer {
  const { verb = '', group = '', resource = '' } = body.spec?.resourceAttributes ?? {};
  const allowed = mayDo(cluster, caller, `${verb} ${group}/${resource}`);
  return created('authorization.k8s.io/v1', 'SelfSubjectAccessReview', { spec: body.spec, status: { allowed } });
}

interface TokenRequestSpec {
  readonly audiences?: string[];
  readonly expirationSeconds?: number;
  readonly boundObjectRef?: {
    readonly kind?: string;
    readonly apiVersion?: string;
    readonly name: string;
    readonly uid?: string;
  };
}

function tokenRequest(
  { objects, tokens }: Cluster,
  [namespace = '', name = '']: readonly string[],
  body: { spec?: TokenRequestSpec },
): ApiAnswer {
  const { audiences = [], expirationSeconds = 3600, boundObjectRef: bound } = body.spec ?? {};
  if (expirationSeconds < 600) {
    return failure(
      422,
      'Invalid',
      `TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: ${expirationSeconds}: may not specify a duration less than 10 minutes`,
    );
  }
  const account = objects.serviceAccount(namespace, name);
  if (!account) return failure(404, 'NotFound', `serviceaccounts "${name}" not found`);
  const kubernetes = { namespace, serviceaccount: { name, uid: account.uid } };
  if (!bound) return tokenAnswer(body, tokens.issue(kubernetes, audiences, expirationSeconds));
  if (bound.kind !== 'Pod')
    return failure(400, 'BadRequest', `cannot bind token to object of type ${bound.apiVersion}, Kind=${bound.kind}`);
  const pod = objects.pod(namespace, bound.name);
  if (!pod) return failure(404, 'NotFound', `pods "${bound.name}" not found`);
  if (pod.serviceAccount !== name) {
    return failure(
      400,
      'BadRequest',
      `cannot bind token for serviceaccount "${name}" to pod running with different serviceaccount name.`,
    );
  }
  if (bound.uid !== undefined && bound.uid !== pod.uid) {
    return failure(
      409,
      'Conflict',
      `Operation cannot be fulfilled on pods "${bound.name}": the UID in the bound object reference (${bound.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  }
  const { nodeName, nodeUid } = objects.factsOf(pod);
  const claims = { ...kubernetes, node: { name: nodeName, uid: nodeUid }, pod: { name: pod.name, uid: pod.uid } };
  return tokenAnswer(body, tokens.issue(claims, audiences, expirationSeconds));
}

function tokenAnswer(body: { spec?: TokenRequestSpec }, token: string): ApiAnswer {
  const { exp } = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as { exp: number };
  const status = { token, expirationTimestamp: new Date(exp * 1000).toISOString() };
  return created('authentication.k8s.io/v1', 'TokenRequest', { spec: body.spec, status });
}

function getPod({ objects }: Cluster, [namespace = '', name = '']: readonly string[]): ApiAnswer {
  const pod = objects.pod(namespace, name);
  if (!pod) return failure(404, 'NotFound', `pods "${name}" not found`);
  const deletion =
    pod.deletionTimestamp === undefined ? {} : { deletionTimestamp: new Date(pod.deletionTimestamp).toISOString() };
  const spec = { serviceAccountName: pod.serviceAccount, nodeName: pod.nodeName };
  return {
    status: 200,
    body: {
      kind: 'Pod',
      apiVersion: 'v1',
      metadata: { namespace, name, uid: pod.uid, ...deletion },
      spec,
      status: { phase: 'Running' },
    },
  };
}

function createPod(
  cluster: Cluster,
  [namespace = '']: readonly string[],
  body: { metadata?: { name?: string }; spec?: { serviceAccountName?: string; nodeName?: string } },
): ApiAnswer {
  const name = body.metadata?.name ?? '';
  if (cluster.objects.pod(namespace, name)) return failure(409, 'AlreadyExists', `pods "${name}" already exists`);
  cluster.objects.createPod(namespace, name, body.spec?.serviceAccountName, body.spec?.nodeName);
  return { ...getPod(cluster, [namespace, name]), status: 201 };
}

function deletePod(
  cluster: Cluster,
  [namespace = '', name = '']: readonly string[],
  body: { gracePeriodSeconds?: number },
): ApiAnswer {
  const found = getPod(cluster, [namespace, name]);
  if (found.status === 200) cluster.objects.deletePod(namespace, name, { graceSeconds: body.gracePeriodSeconds ?? 30 });
  return found;
}

/** The key set's address is the server's own, not the issuer's. */
function discovery({ tokens, url }: Cluster): ApiAnswer {
  const body = {
    issuer: tokens.issuer,
    jwks_uri: `${url}/openid/v1/jwks`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [tokens.key.algorithm],
  };
  return { status: 200, body };
}

function created(apiVersion: string, kind: string, rest: object): ApiAnswer {
  return { status: 201, body: { kind, apiVersion, metadata: {}, ...rest } };
}
