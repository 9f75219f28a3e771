/**
 * A process on this machine, seen as a pod. Name and UIDs derive from namespace and service account, so that a
 * workload is the same pod after a restart of the issuer. Pure.
 */
import { createHash } from 'node:crypto';

export interface LocalWorkload {
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** The `kubernetes.io` claims of a projected token (KEP-1205, KEP-4193). */
export interface KubernetesClaims {
  readonly namespace: string;
  readonly node: { readonly name: string; readonly uid: string };
  readonly pod: { readonly name: string; readonly uid: string };
  readonly serviceaccount: { readonly name: string; readonly uid: string };
}

const NODE = 'localhost';

export function kubernetesClaims({ namespace, serviceAccount }: LocalWorkload): KubernetesClaims {
  const suffix = digestOf('pod', namespace, serviceAccount).slice(0, 5);
  return {
    namespace,
    node: { name: NODE, uid: uidOf('node', NODE) },
    pod: { name: `${serviceAccount}-${suffix}`, uid: uidOf('pod', namespace, serviceAccount) },
    serviceaccount: { name: serviceAccount, uid: uidOf('serviceaccount', namespace, serviceAccount) },
  };
}

/** RFC 9562 §5.8: a UUID of our own making, version 8. */
function uidOf(...names: readonly string[]): string {
  const hex = digestOf(...names);
  const variant = ((Number.parseInt(hex[16]!, 16) & 0x3) | 0x8).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
}

function digestOf(...names: readonly string[]): string {
  return createHash('sha256').update(names.join('\n')).digest('hex');
}
