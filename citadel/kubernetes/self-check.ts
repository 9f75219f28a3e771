/**
 * Asks the API server, once at start, whether we may do what we are for. A missing RBAC rule then shows as one
 * clear sentence at boot instead of as refused workloads later. It changes nothing and decides nothing.
 */
import { type KubernetesApi, KubernetesUnavailable } from './client.ts';

/** Group, resource and verb of what must be allowed. */
export interface NeededPermission {
  readonly group: string;
  readonly resource: string;
  readonly verb: string;
}

export const CREATE_TOKEN_REVIEWS: NeededPermission = {
  group: 'authentication.k8s.io',
  resource: 'tokenreviews',
  verb: 'create',
};

const PATH = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';

/** @returns what is wrong and what to do, for the operator to read; undefined when all is well */
export async function permissionProblem(
  api: KubernetesApi,
  needed: NeededPermission,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const { group, resource, verb } = needed;
  const question = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: { resourceAttributes: { group, resource, verb } },
  };
  try {
    const { status, body } = await api.request('POST', PATH, question, signal);
    if (status === 401)
      return 'the API server does not accept the token of citadel itself: check the token file and its audience';
    if (status !== 201 && status !== 200)
      return `the API server answered ${status} to the question what citadel may do`;
    if (isAllowed(body)) return undefined;
    return `citadel may not ${verb} ${resource}.${group}: bind its service account to a ClusterRole that allows it (see manifests/base/rbac.yaml)`;
  } catch (error) {
    if (error instanceof KubernetesUnavailable)
      return `the API server cannot be asked (${error.reason}): ${error.message}`;
    throw error;
  }
}

function isAllowed(body: unknown): boolean {
  const { status } = (body ?? {}) as { status?: { allowed?: unknown } };
  return status?.allowed === true;
}
