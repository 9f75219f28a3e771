/**
 * A Kubernetes API server for tests, as far as tokens go: TLS, real signed tokens, TokenRequest, TokenReview with
 * the answers and words of kube-apiserver, deletion of pods, RBAC, discovery and key set. Its faults are switched
 * by the test. It keeps nothing and is no oracle: the real one is, where it is at hand.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../../shared/clock/clock.ts';
import { answerCall, type Cluster } from './fake-api-server-calls.ts';
import { ClusterObjects, type StoredPod } from './fake-api-server-objects.ts';
import { type Authentication, TokenAuthority } from './fake-api-server-tokens.ts';
import { createTestAuthority } from './test-authority.ts';
import type { TokenAlgorithm } from './tokens.ts';

export interface FakeApiServerOptions {
  readonly clock: Clock;
  readonly algorithm?: TokenAlgorithm;
  /** The `iss` of tokens. Default: the server's own address. */
  readonly issuer?: string;
  /** How long a successful review is believed, as kube-apiserver does for 10 s. Default 0, so that tests need not wait. */
  readonly successCacheSeconds?: number;
}

/** What goes wrong with the next calls. */
export interface Fault {
  /** Only calls whose path matches. Default: all. */
  readonly path?: RegExp;
  /** How many calls are hit. Default: all until healed. */
  readonly times?: number;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** `hang`: takes the call and never answers. `reset`: cuts the connection. */
  readonly instead?: 'hang' | 'reset';
}

const API_AUDIENCE = 'https://kubernetes.default.svc.cluster.local';
export const REVIEWER = { namespace: 'citadel-system', name: 'citadel' } as const;
const MAY_REVIEW = 'create authentication.k8s.io/tokenreviews';

export class FakeApiServer {
  readonly objects: ClusterObjects;
  readonly tokens: TokenAuthority;
  readonly adminToken = 'admin-token-of-the-fake-api-server';
  /** PEM of the authority that signed the server's certificate. */
  readonly caPem: string;
  /** `POST /apis/…` of every call that arrived, faulty or not. */
  readonly calls: string[] = [];
  /** Body of the last TokenReview. */
  lastReview: { readonly spec?: { readonly audiences?: readonly string[] } } | undefined;
  readonly #options: FakeApiServerOptions;
  readonly #server: Server;
  readonly #grants = new Map<string, Set<string>>();
  readonly #believed = new Map<string, { answer: Authentication; until: number }>();
  #fault: (Fault & { left: number }) | undefined;
  #held: Promise<void> = Promise.resolve();
  #url = '';

  constructor(options: FakeApiServerOptions) {
    this.#options = options;
    this.objects = new ClusterObjects(options.clock);
    this.tokens = new TokenAuthority(options.clock, this.objects, options.algorithm ?? 'RS256', API_AUDIENCE);
    const authority = createTestAuthority({ trustDomain: 'kubernetes', subject: 'kubernetes' });
    const serving = authority.svid({
      uris: [],
      subject: 'kube-apiserver',
      dnsNames: ['localhost', 'kubernetes.default.svc'],
      ipAddresses: ['127.0.0.1'],
    });
    this.caPem = authority.rootPem;
    this.#server = createServer({ cert: serving.chainPem, key: serving.keyPem }, (request, response) => {
      // A caller may leave in the middle: then nobody is there to answer.
      this.#serve(request, response).catch(() => response.destroy());
    });
    this.allowReviews();
  }

  /** @param port 0: any */
  async start(port = 0): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    this.#url = `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    this.tokens.issuer = this.#options.issuer ?? this.#url;
    return this;
  }

  get url(): string {
    return this.#url;
  }

  get issuer(): string {
    return this.tokens.issuer;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.stop();
  }

  allowReviews(): void {
    this.#grants.set(`system:serviceaccount:${REVIEWER.namespace}:${REVIEWER.name}`, new Set([MAY_REVIEW]));
  }

  forbidReviews(): void {
    this.#grants.clear();
  }

  /** The token that citadel shows when it asks. */
  reviewerToken(seconds = 3600): string {
    const { uid } = this.objects.ensureServiceAccount(REVIEWER.namespace, REVIEWER.name);
    return this.tokens.issue(
      { namespace: REVIEWER.namespace, serviceaccount: { name: REVIEWER.name, uid } },
      [],
      seconds,
    );
  }

  /** The projected token of a pod, any lifetime allowed. */
  podToken(
    pod: StoredPod,
    { audiences = ['citadel'], seconds = 3600 }: { audiences?: readonly string[]; seconds?: number } = {},
  ): string {
    const { namespace, serviceAccount, serviceAccountUid, nodeName, nodeUid } = this.objects.factsOf(pod);
    const claims = {
      namespace,
      node: { name: nodeName, uid: nodeUid },
      pod: { name: pod.name, uid: pod.uid },
      serviceaccount: { name: serviceAccount, uid: serviceAccountUid },
    };
    return this.tokens.issue(claims, audiences, seconds);
  }

  fail(fault: Fault): void {
    this.#fault = { ...fault, left: fault.times ?? Number.POSITIVE_INFINITY };
  }

  heal(): void {
    this.#fault = undefined;
  }

  /** Calls that arrive from now on wait. @returns lets them go on */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#held = promise;
    return resolve;
  }

  /** How many calls arrived whose line matches. */
  count(pattern: RegExp): number {
    return this.calls.filter((call) => pattern.test(call)).length;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request;
    const path = url.split('?', 1)[0]!;
    this.calls.push(`${method} ${path}`);
    const body = await readJson(request);
    if (path.endsWith('/tokenreviews')) this.lastReview = body as typeof this.lastReview;
    await this.#held;
    if (this.#strikes(request, response, path)) return;
    const bearer = /^Bearer (.*)$/.exec(request.headers.authorization ?? '')?.[1];
    const answer = answerCall(this.#cluster(), { method, path, bearer, body });
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body));
  }

  #strikes(request: IncomingMessage, response: ServerResponse, path: string): boolean {
    const fault = this.#fault;
    if (!fault || fault.left <= 0 || !(fault.path ?? /^/).test(path)) return false;
    fault.left--;
    if (fault.instead === 'reset') request.socket.destroy();
    else if (fault.instead === undefined) response.writeHead(fault.status ?? 500, fault.headers).end(fault.body);
    return true;
  }

  #cluster(): Cluster {
    const { objects, tokens, adminToken } = this;
    return {
      objects,
      tokens,
      adminToken,
      url: this.#url,
      grants: this.#grants,
      review: (token, audiences) => this.#review(token, audiences),
    };
  }

  #review(token: string, audiences: readonly string[]): Authentication {
    const { clock, successCacheSeconds = 0 } = this.#options;
    const key = `${token} ${audiences.join(' ')}`;
    const believed = this.#believed.get(key);
    if (believed && clock.now() < believed.until) return believed.answer;
    const answer = this.tokens.authenticate(token, audiences);
    if ('user' in answer) this.#believed.set(key, { answer, until: clock.now() + successCacheSeconds * 1000 });
    return answer;
  }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return parts.length === 0 ? undefined : JSON.parse(Buffer.concat(parts).toString());
}
