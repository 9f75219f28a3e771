/**
 * What every pod of ours must be: the restricted Pod Security Standard and more, mounts that lead somewhere, probes
 * on ports that are there. Each function lists problems, so that a test can show it a bad pod.
 */
import { type Container, containersOf, type PodSpec, type Rendered } from './rendered.ts';

/** https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted, and a read-only root file system. */
export function securityProblems(pod: PodSpec): string[] {
  const problems: string[] = [];
  const { runAsNonRoot, runAsUser, seccompProfile } = pod.securityContext ?? {};
  if (runAsNonRoot !== true || runAsUser !== 65_532) problems.push('the pod does not run as 65532');
  if (seccompProfile?.type !== 'RuntimeDefault') problems.push('the pod has no seccomp profile');
  if (pod.automountServiceAccountToken !== false) problems.push('the pod mounts an API token by itself');
  if (pod.hostNetwork || pod.hostPID) problems.push('the pod shares something of the host');
  for (const volume of pod.volumes ?? []) {
    if (volume.hostPath) problems.push(`${volume.name} is a path of the host`);
  }
  return [...problems, ...containersOf(pod).flatMap(containerSecurityProblems)];
}

function containerSecurityProblems({ name, securityContext = {}, resources }: Container): string[] {
  const { allowPrivilegeEscalation, privileged, readOnlyRootFilesystem, capabilities, runAsUser } = securityContext;
  const problems: string[] = [];
  if (allowPrivilegeEscalation !== false || privileged) problems.push(`${name} may gain privileges`);
  if (readOnlyRootFilesystem !== true) problems.push(`${name} may write to its image`);
  if (!capabilities?.drop?.includes('ALL') || capabilities.add) problems.push(`${name} keeps capabilities`);
  if (runAsUser !== undefined) problems.push(`${name} runs as another user than the pod`);
  if (!resources?.requests || !resources.limits) problems.push(`${name} has no resources`);
  return problems;
}

/** @param elsewhere ConfigMaps that something else puts into the namespace */
export function mountProblems(pod: PodSpec, rendered: Rendered, elsewhere: readonly string[]): string[] {
  const volumes = pod.volumes ?? [];
  const mounts = containersOf(pod).flatMap((container) =>
    (container.volumeMounts ?? []).map((mount) => ({ ...mount, of: container.name })),
  );
  const problems = mounts
    .filter((mount) => !volumes.some(({ name }) => name === mount.name))
    .map((mount) => `${mount.of} mounts ${mount.name}, which is no volume`);
  // A subPath mount never sees an update: tokens and certificates would go stale.
  for (const mount of mounts) if (mount.subPath !== undefined) problems.push(`${mount.of} mounts a subPath`);
  for (const volume of volumes) {
    if (!mounts.some(({ name }) => name === volume.name)) problems.push(`nothing mounts ${volume.name}`);
    const configMaps = [volume.configMap, ...(volume.projected?.sources.map((source) => source.configMap) ?? [])];
    for (const one of configMaps) {
      if (one && !rendered.has('ConfigMap', one.name) && !elsewhere.includes(one.name))
        problems.push(`there is no ConfigMap ${one.name}`);
    }
    const claim = volume.persistentVolumeClaim?.claimName;
    if (claim !== undefined && !rendered.has('PersistentVolumeClaim', claim))
      problems.push(`there is no claim ${claim}`);
  }
  if (pod.serviceAccountName === undefined || !rendered.has('ServiceAccount', pod.serviceAccountName))
    problems.push(`there is no service account ${pod.serviceAccountName}`);
  return problems;
}

/** @returns the port number that each probe asks, by `<container> <probe> <path>`; undefined for a name that is no port */
export function probedPorts(pod: PodSpec): Map<string, number | undefined> {
  const ports = new Map<string, number | undefined>();
  for (const container of containersOf(pod)) {
    for (const kind of ['startupProbe', 'livenessProbe', 'readinessProbe'] as const) {
      const get = container[kind]?.httpGet;
      if (!get) continue;
      const named = container.ports?.find(({ name }) => name === get.port)?.containerPort;
      ports.set(`${container.name} ${kind} ${get.path}`, typeof get.port === 'number' ? get.port : named);
    }
  }
  return ports;
}
