/**
 * A small mesh on one machine, as data: who runs, on which ports, with which configuration. Pure; it starts
 * nothing and writes nothing. The same shape serves the demo and the end-to-end tests.
 */
import { join } from 'node:path';
import { stringify } from 'yaml';

/** A listener to somebody who is no service of the mesh: no tunnel leads there unless it is said. */
export interface OutboundWish {
  readonly name: string;
  readonly to: string | readonly string[];
  readonly peers: readonly string[];
  readonly transport?: 'tunnel' | 'mtls';
  readonly tunnelPort?: number;
  /** Default: that of the service. */
  readonly protocol?: 'http' | 'h2' | 'tcp' | 'auto';
}

export interface ServiceWish {
  readonly name: string;
  /** The service it calls, through an outbound listener of its sidecar. */
  readonly next?: string;
  /** `tcp` relays bytes; `http` (default) reads requests. */
  readonly protocol?: 'http' | 'h2' | 'tcp' | 'auto';
  /** How it reaches `next`: `tunnel` (default) or a TLS connection for each (`mtls`). */
  readonly transport?: 'tunnel' | 'mtls';
  /** More outbound listeners: where they lead and whom they expect there. */
  readonly outbound?: readonly OutboundWish[];
  /** Merged into the sidecar's settings, for tests of one setting. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** No app process: the test is the app, on this port. */
  readonly appPort?: number;
}

export interface MeshWish {
  readonly directory: string;
  readonly trustDomain: string;
  readonly namespace: string;
  readonly certificateSeconds: number;
  readonly services: readonly ServiceWish[];
  /** Hands out ports in the order they are asked for. */
  readonly ports: Iterator<number>;
  /** Merged into citadel's settings. */
  readonly citadelSettings?: Readonly<Record<string, unknown>>;
  /** Workloads without a sidecar whose token file holds a token that has expired. */
  readonly expired?: readonly string[];
  /** Lifetime of the tokens of the dev issuer, seconds. */
  readonly tokenSeconds?: number;
}

export interface ServicePlan {
  readonly name: string;
  readonly spiffeId: string;
  readonly next: string | undefined;
  readonly tokenFile: string;
  readonly ports: {
    readonly app: number;
    readonly inbound: number;
    readonly tunnel: number;
    readonly admin: number;
    readonly metrics: number;
    readonly health: number;
  };
  /** Local port of each outbound listener, by name. */
  readonly outbound: Readonly<Record<string, number>>;
  readonly startsApp: boolean;
  readonly settings: Readonly<Record<string, unknown>>;
}

export interface MeshPlan {
  readonly directory: string;
  readonly issuer: {
    readonly port: number;
    readonly url: string;
    readonly settings: Readonly<Record<string, unknown>>;
  };
  readonly citadel: {
    readonly url: string;
    readonly port: number;
    readonly healthPort: number;
    readonly settings: Readonly<Record<string, unknown>>;
  };
  readonly rootFile: string;
  readonly services: readonly ServicePlan[];
}

export function planMesh(wish: MeshWish): MeshPlan {
  const port = (): number => {
    const { value, done } = wish.ports.next();
    if (done) throw new Error('the mesh asks for more ports than there are');
    return value;
  };
  const { directory, trustDomain, namespace } = wish;
  const issuerPort = port();
  const citadelPort = port();
  const healthPort = port();
  const issuerUrl = `http://127.0.0.1:${issuerPort}`;
  const rootFile = join(directory, 'authority', 'root-cert.pem');
  const idOf = (name: string): string => `spiffe://${trustDomain}/ns/${namespace}/sa/${name}`;
  const gates = new Map(
    wish.services.map(({ name, appPort }) => [name, { inbound: port(), tunnel: port(), app: appPort ?? port() }]),
  );
  const services = wish.services.map((service) =>
    planService(service, { wish, port, gates, idOf, citadelPort, rootFile }),
  );
  return {
    directory,
    rootFile,
    services,
    issuer: { port: issuerPort, url: issuerUrl, settings: issuerSettings(wish, issuerPort, issuerUrl) },
    citadel: {
      url: `https://127.0.0.1:${citadelPort}`,
      port: citadelPort,
      healthPort,
      settings: citadelSettings(wish, { citadelPort, healthPort, issuerUrl }),
    },
  };
}

/** A configuration file's text. */
export function asYaml(settings: object): string {
  return stringify(settings);
}

interface GatePorts {
  readonly inbound: number;
  readonly tunnel: number;
  readonly app: number;
}

function planService(
  service: ServiceWish,
  around: {
    wish: MeshWish;
    port(): number;
    gates: ReadonlyMap<string, GatePorts>;
    idOf(name: string): string;
    citadelPort: number;
    rootFile: string;
  },
): ServicePlan {
  const { wish, port, gates, idOf } = around;
  const ports = {
    ...gates.get(service.name)!,
    admin: port(),
    metrics: port(),
    health: port(),
  };
  const protocol = service.protocol ?? 'http';
  const targets: OutboundWish[] = (service.outbound ?? []).map((one) => ({ transport: 'mtls', ...one }));
  if (service.next !== undefined) {
    const { app, tunnel, inbound } = gates.get(service.next)!;
    const way =
      service.transport === 'mtls'
        ? ({ to: `127.0.0.1:${inbound}`, transport: 'mtls' } as const)
        : ({ to: `127.0.0.1:${app}`, transport: 'tunnel', tunnelPort: tunnel } as const);
    targets.unshift({ name: service.next, peers: [idOf(service.next)], ...way });
  }
  const outbound = targets.map((target) => ({ listen: `127.0.0.1:${port()}`, protocol, ...target }));
  const tokenFile = join(wish.directory, 'tokens', service.name, 'token');
  return {
    name: service.name,
    spiffeId: idOf(service.name),
    next: service.next,
    tokenFile,
    ports,
    startsApp: service.appPort === undefined,
    outbound: Object.fromEntries(outbound.map(({ name, listen }) => [name, Number(listen.split(':')[1])])),
    settings: {
      citadel: { url: `https://127.0.0.1:${around.citadelPort}`, caFile: around.rootFile },
      tokenFile,
      trustDomain: wish.trustDomain,
      workload: { name: service.name, namespace: wish.namespace },
      inbound: [{ name: 'app', listen: `127.0.0.1:${ports.inbound}`, protocol, app: `127.0.0.1:${ports.app}` }],
      outbound,
      tunnel: { listen: `127.0.0.1:${ports.tunnel}` },
      admin: { listen: `127.0.0.1:${ports.admin}` },
      metrics: { listen: `127.0.0.1:${ports.metrics}` },
      health: { listen: `127.0.0.1:${ports.health}` },
      log: { format: 'json' },
      ...service.settings,
    },
  };
}

function issuerSettings(wish: MeshWish, port: number, url: string): Record<string, unknown> {
  const workload = (name: string) => ({
    namespace: wish.namespace,
    serviceAccount: name,
    directory: join(wish.directory, 'tokens', name),
  });
  return {
    listen: `127.0.0.1:${port}`,
    issuer: url,
    directory: join(wish.directory, 'tokens'),
    tokenSeconds: wish.tokenSeconds ?? 600,
    audience: 'citadel',
    workloads: [
      ...wish.services.map(({ name }) => ({ ...workload(name), expired: false })),
      ...(wish.expired ?? []).map((name) => ({ ...workload(name), expired: true })),
    ],
    log: { format: 'json' },
  };
}

function citadelSettings(
  wish: MeshWish,
  { citadelPort, healthPort, issuerUrl }: { citadelPort: number; healthPort: number; issuerUrl: string },
): Record<string, unknown> {
  return {
    trustDomain: wish.trustDomain,
    api: { listen: `127.0.0.1:${citadelPort}`, names: ['127.0.0.1', 'localhost'] },
    health: { listen: `127.0.0.1:${healthPort}` },
    authority: { directory: join(wish.directory, 'authority') },
    journal: { file: join(wish.directory, 'journal.sqlite') },
    certificates: { defaultSeconds: wish.certificateSeconds, minSeconds: 5 },
    attestation: {
      mode: 'oidc',
      oidc: { issuer: issuerUrl, jwksUrl: `${issuerUrl}/openid/v1/jwks`, unsafeDevIssuer: true },
    },
    // Nobody routes by readiness here.
    shutdown: { announceSeconds: 0 },
    log: { format: 'json' },
    ...wish.citadelSettings,
  };
}
