/**
 * One real sidecar for tests that play everything around it: the test is its app and its peers. Dev issuer, citadel
 * and the sidecar of `orders` run as processes; `web` has a token and no sidecar, and the test speaks as it.
 */
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import tls, { type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { Service } from '../../scripts/local-mesh/mesh.ts';
import type { ServiceWish } from '../../scripts/local-mesh/mesh-plan.ts';
import { buildCsr } from '../../shared/x509/csr-builder.ts';
import { encodePem } from '../../shared/x509/pem.ts';
import { CitadelClient } from './citadel-client.ts';
import { plannedMesh, type TestMesh, type TestMeshWish } from './mesh.ts';
import { RawClient } from './raw-client.ts';

export interface MeshSvid {
  readonly spiffeId: string;
  /** Leaf first, then the intermediates. */
  readonly certPem: string;
  readonly keyPem: string;
  readonly rootPem: string;
  /** Milliseconds since the Unix epoch. */
  readonly notAfter: number;
}

export type OneSidecarWish = Omit<ServiceWish, 'name' | 'next'> & Partial<Omit<TestMeshWish, 'services'>>;

export class OneSidecar implements AsyncDisposable {
  readonly mesh: TestMesh;
  readonly orders: Service;

  constructor(mesh: TestMesh, orders: Service) {
    this.mesh = mesh;
    this.orders = orders;
  }

  static async start({ appPort, protocol, outbound, settings, ...mesh }: OneSidecarWish): Promise<OneSidecar> {
    const orders = {
      name: 'orders',
      ...(appPort === undefined ? {} : { appPort }),
      ...(protocol ? { protocol } : {}),
      ...(outbound ? { outbound } : {}),
      ...(settings ? { settings } : {}),
    };
    const planned = await plannedMesh({ ...mesh, services: [orders, { name: 'web' }] });
    try {
      await planned.startIssuer();
      await planned.startCitadel();
      return new OneSidecar(planned, await planned.startService('orders'));
    } catch (error) {
      await planned[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Where peers connect to. */
  get port(): number {
    return this.orders.plan.ports.inbound;
  }

  /** A fresh SVID of `web`, or of who is named, from citadel. */
  svid(name?: string, ttlSeconds?: number): Promise<MeshSvid> {
    return obtainSvid(this.mesh, name ?? 'web', ttlSeconds);
  }

  metric(series: string): Promise<number> {
    return metricAt(this.orders.plan.ports.metrics, series);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mesh[Symbol.asyncDispose]();
  }
}

/** Asks citadel as a sidecar would, with the token that the mesh has for that workload. */
export async function obtainSvid(mesh: TestMesh, name: string, ttlSeconds?: number): Promise<MeshSvid> {
  const service = mesh.plan.services.find((one) => one.name === name);
  if (!service) throw new Error(`no workload ${name} in the plan`);
  const rootPem = await readFile(mesh.plan.rootFile, 'utf8');
  const token = (await readFile(service.tokenFile, 'utf8')).trim();
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  using client = new CitadelClient({ port: mesh.plan.citadel.port, ca: rootPem });
  const csr = encodePem('CERTIFICATE REQUEST', buildCsr(keys));
  const { status, json, text } = await client.certificate(token, csr, ttlSeconds === undefined ? {} : { ttlSeconds });
  if (status !== 201 || !json) throw new Error(`citadel answered ${status} ${text}`);
  return {
    spiffeId: String(json['spiffeId']),
    certPem: (json['certificateChain'] as string[]).join(''),
    keyPem: keys.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    rootPem,
    notAfter: Date.parse(String(json['notAfter'])),
  };
}

/** A plain TLS client of a sidecar: presents what it is given, or nothing. Not connected yet. */
export function tlsTo(port: number, svid: MeshSvid | undefined, options: ConnectionOptions = {}): TLSSocket {
  return tls.connect({
    port,
    host: '127.0.0.1',
    ...(svid ? { cert: svid.certPem, key: svid.keyPem, ca: svid.rootPem } : { rejectUnauthorized: false }),
    checkServerIdentity: () => undefined, // an SVID carries no host name
    ...options,
  });
}

/** The same, connected, byte by byte. In TLS 1.3 this says nothing yet of what the sidecar thinks of the client. */
export async function peerOf(port: number, svid: MeshSvid, options: ConnectionOptions = {}): Promise<RawClient> {
  const socket = tlsTo(port, svid, { allowHalfOpen: true, ...options } as ConnectionOptions);
  const client = new RawClient(socket); // from the start, so that no byte and no error is missed
  await once(socket, 'secureConnect');
  return client;
}

/** One series as the page of metrics has it, `name{label="value"}`; 0 when it is not there. */
export async function metricAt(port: number, series: string): Promise<number> {
  const page = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const line = page.split('\n').find((one) => one.startsWith(`${series} `));
  return line === undefined ? 0 : Number(line.slice(series.length + 1));
}
