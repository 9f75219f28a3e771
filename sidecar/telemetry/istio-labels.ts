/**
 * The labels of Istio's standard metrics, so that dashboards made for Istio work. Pure. What is not known is
 * `unknown`, as Istio writes it; a principal comes from the handshake or is unknown, never from a header.
 */

/** What the configuration says of the own workload. Labels only: nothing is decided by it. */
export interface WorkloadLabels {
  readonly name?: string | undefined;
  readonly namespace?: string | undefined;
  readonly app?: string | undefined;
  readonly version?: string | undefined;
}

/** The service that is called. */
export interface ServiceLabels {
  /** For instance `orders.shop.svc.cluster.local`. */
  readonly host: string;
  readonly name: string;
  readonly namespace: string;
}

export interface TrafficPlace {
  /** `destination` counts what it accepted from peers, `source` what it sent to them. */
  readonly reporter: 'source' | 'destination';
  readonly workload: WorkloadLabels;
  readonly service: ServiceLabels;
}

export interface Principals {
  readonly peer: string | undefined;
  readonly own: string | undefined;
}

const UNKNOWN = 'unknown';

const SIDE = [
  'workload',
  'workload_namespace',
  'principal',
  'app',
  'version',
  'cluster',
  'canonical_service',
  'canonical_revision',
] as const;

const COMMON = [
  'reporter',
  ...SIDE.map((name) => `source_${name}`),
  ...SIDE.map((name) => `destination_${name}`),
  'destination_service',
  'destination_service_name',
  'destination_service_namespace',
  'connection_security_policy',
  'request_protocol',
  'response_flags',
] as const;

export const TCP_LABELS: readonly string[] = COMMON;
export const HTTP_LABELS: readonly string[] = [...COMMON, 'response_code', 'grpc_response_status'];

/** The values of all labels before `request_protocol`, in their order. */
export function commonValues({ reporter, workload, service }: TrafficPlace, { peer, own }: Principals): string[] {
  const self = sideValues(workload, own);
  const other = sideValues({ namespace: namespaceIn(peer) }, peer);
  const [source, destination] = reporter === 'source' ? [self, other] : [other, self];
  // As Istio: the caller's side cannot know what the other side demands.
  const security = reporter === 'source' ? UNKNOWN : peer === undefined ? 'none' : 'mutual_tls';
  return [reporter, ...source, ...destination, service.host, service.name, service.namespace, security];
}

/** Where a call goes, from `to` of an outbound listener: a cluster name tells service and namespace. */
export function serviceOf(host: string, fallbackName: string): ServiceLabels {
  const [name, namespace, kind] = host.split('.');
  if (kind === 'svc' && name && namespace) return { host, name, namespace };
  return { host: /^[\d.:]+$|^localhost$/.test(host) ? fallbackName : host, name: fallbackName, namespace: UNKNOWN };
}

/** The own service, as callers name it in a cluster. */
export function ownService({ app, name, namespace }: WorkloadLabels): ServiceLabels {
  const service = app ?? name ?? UNKNOWN;
  const host = namespace === undefined ? service : `${service}.${namespace}.svc.cluster.local`;
  return { host, name: service, namespace: namespace ?? UNKNOWN };
}

function sideValues({ name, namespace, app, version }: WorkloadLabels, principal: string | undefined): string[] {
  const values = [name, namespace, principal, app, version, undefined, app ?? name, version];
  return values.map((value) => value ?? UNKNOWN);
}

/** A SPIFFE ID of the form that Kubernetes identities have proves the namespace too. */
function namespaceIn(principal: string | undefined): string | undefined {
  return principal === undefined ? undefined : /^spiffe:\/\/[^/]+\/ns\/([^/]+)\/sa\/[^/]+$/.exec(principal)?.[1];
}
